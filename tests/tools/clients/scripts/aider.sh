# OPENAI_API_KEY is read; the address is named OPENAI_API_BASE here.
export OPENAI_API_BASE=$OPENAI_BASE_URL
git init -q . && git config user.email somebody@example.com && git config user.name Some
options="--no-check-update --analytics-disable --no-show-model-warnings --no-pretty --yes-always"
say() { aider $options --model "$1" $3 --message "$2" 2>&1; }
echo "chat plain: $(say openai/gpt-5.5 'demo:say(forty two)' --no-stream | tail -8)"
echo "chat stream: $(say openai/gpt-5.5 'demo:say(one two three)' --stream | tail -8)"
echo "chat error: $(say openai/gpt-unknown hi --no-stream)"
