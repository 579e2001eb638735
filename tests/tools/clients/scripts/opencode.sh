cat > opencode.json <<EOF
{
  "provider": {
    "gateway": {
      "npm": "@ai-sdk/openai",
      "options": {"baseURL": "$OPENAI_BASE_URL", "apiKey": "{env:OPENAI_API_KEY}"},
      "models": {"gpt-5.5": {}, "gpt-unknown": {}}
    },
    "chat": {
      "npm": "@ai-sdk/openai-compatible",
      "options": {"baseURL": "$OPENAI_BASE_URL", "apiKey": "{env:OPENAI_API_KEY}"},
      "models": {"gpt-5.5": {}, "gpt-unknown": {}}
    }
  }
}
EOF
for api in gateway chat; do
  name=${api/gateway/responses}
  echo "$name stream: $(opencode run -m $api/gpt-5.5 'demo:say(one two three)' 2>&1)"
  echo "$name tool: $(opencode run -m $api/gpt-5.5 'demo:tool(echo Rain)' 2>&1)"
  echo "$name error: $(opencode run -m $api/gpt-unknown hi 2>&1)"
done
