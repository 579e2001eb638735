import json
import os

import litellm
from pydantic import BaseModel

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
tools = [
    {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
]
gateway = {"api_base": os.environ["OPENAI_BASE_URL"]}  # and OPENAI_API_KEY


class Recipe(BaseModel):
    title: str
    minutes: int


def ask(text, model="openai/gpt-5.5", **more):
    messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
    return litellm.completion(model=model, messages=messages, **gateway, **more)


print("chat plain:", ask("demo:say(forty two)").choices[0].message.content)
chunks = [
    chunk.choices[0].delta.content
    for chunk in ask("demo:say(one two three)", stream=True)
]
print("chat stream:", "|".join(filter(None, chunks)))

messages = [{"role": "user", "content": "demo:tool"}]
answer = ask(messages, tools=tools).choices[0].message
messages.append(answer)
for call in answer.tool_calls:
    output = f"Rain in {json.loads(call.function.arguments)['city']}"
    print("called:", output)
    messages.append({"role": "tool", "tool_call_id": call.id, "content": output})
print("chat tool:", ask(messages, tools=tools).choices[0].message.content)

answer = ask("Soup?", response_format=Recipe).choices[0].message.content
print("chat structured:", repr(Recipe.model_validate_json(answer)))
try:
    ask("hi", model="openai/gpt-unknown")
except litellm.BadRequestError as error:
    print("chat error:", error.message)

response = litellm.responses(
    model="openai/gpt-5.5", input="demo:say(forty two)", **gateway
)
print("responses plain:", response.output[-1].content[0].text)
stream = litellm.responses(
    model="openai/gpt-5.5", input="demo:say(one two three)", stream=True, **gateway
)
deltas = [e.delta for e in stream if e.type == "response.output_text.delta"]
print("responses stream:", "|".join(deltas))
