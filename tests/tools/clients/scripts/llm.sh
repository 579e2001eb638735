# The models are told to llm once, in the file that its documentation names.
llm keys set gateway --value "$OPENAI_API_KEY"
cat > "$(dirname "$(llm logs path)")/extra-openai-models.yaml" <<EOF
- {model_id: gateway, model_name: gpt-5.5, api_base: $OPENAI_BASE_URL,
   api_key_name: gateway, responses: true, supports_tools: true, supports_schema: true}
- {model_id: gateway-chat, model_name: gpt-5.5, api_base: $OPENAI_BASE_URL,
   api_key_name: gateway, supports_tools: true, supports_schema: true}
- {model_id: missing, model_name: gpt-unknown, api_base: $OPENAI_BASE_URL,
   api_key_name: gateway, responses: true}
- {model_id: missing-chat, model_name: gpt-unknown, api_base: $OPENAI_BASE_URL,
   api_key_name: gateway}
EOF
weather='def weather(city: str) -> str:
    "Tell the weather of a city."
    return f"Rain in {city}"'
for api in responses chat; do
  suffix=$([ $api = chat ] && echo -chat)
  model=gateway$suffix
  echo "$api plain: $(llm -m $model --no-stream 'demo:say(forty two)')"
  echo "$api stream: $(llm -m $model 'demo:say(one two three)')"
  echo "called: $(llm -m $model --functions "$weather" --tools-debug 'demo:tool' 2>&1)"
  echo "$api tool: $(llm -m $model --functions "$weather" 'demo:tool')"
  echo "$api structured: $(llm -m $model --schema 'title, minutes int' 'Soup?')"
  echo "$api error: $(llm -m missing$suffix 'hi' 2>&1)"
done
