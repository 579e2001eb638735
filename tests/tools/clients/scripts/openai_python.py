import json

from openai import BadRequestError, OpenAI
from pydantic import BaseModel

client = OpenAI()  # OPENAI_BASE_URL, OPENAI_API_KEY


class Recipe(BaseModel):
    title: str
    minutes: int


def weather(city):
    return f"Rain in {city}"


PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

# Responses
response = client.responses.create(
    model="gpt-5.5", instructions="Be brief.", input="demo:say(forty two)"
)
print("responses plain:", response.output_text)

with client.responses.stream(model="gpt-5.5", input="demo:say(one two three)") as seen:
    deltas = [e.delta for e in seen if e.type == "response.output_text.delta"]
print("responses stream:", "|".join(deltas))

tools = [{"type": "function", "name": "weather", "parameters": PARAMETERS}]
items = [{"role": "user", "content": "demo:tool"}]
response = client.responses.create(model="gpt-5.5", tools=tools, input=items)
items += response.output
for call in response.output:
    if call.type == "function_call":
        output = weather(**json.loads(call.arguments))
        print("called:", output)
        items.append(
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": output,
            }
        )
response = client.responses.create(model="gpt-5.5", tools=tools, input=items)
print("responses tool:", response.output_text)

response = client.responses.create(model="gpt-5.5", input="demo:reasoning")
items = [*response.output, {"role": "user", "content": "demo:say(and on)"}]
response = client.responses.create(model="gpt-5.5", input=items)
print("responses history:", response.output_text)

parsed = client.responses.parse(model="gpt-5.5", input="Soup?", text_format=Recipe)
print("responses structured:", repr(parsed.output_parsed))

try:
    client.responses.create(model="gpt-unknown", input="hi")
except BadRequestError as error:
    print("responses error:", error.code, error.message)

# Chat completions
question = [{"role": "user", "content": "demo:say(forty two)"}]
chat = client.chat.completions.create(model="gpt-5.5", messages=question)
print("chat plain:", chat.choices[0].message.content)

question = [{"role": "user", "content": "demo:say(one two three)"}]
stream = client.chat.completions.create(model="gpt-5.5", messages=question, stream=True)
chunks = [c.choices[0].delta.content for c in stream if c.choices]
print("chat stream:", "|".join(filter(None, chunks)))

tools = [
    {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
]
messages = [{"role": "user", "content": "demo:tool"}]
chat = client.chat.completions.create(model="gpt-5.5", tools=tools, messages=messages)
messages.append(chat.choices[0].message)
for call in chat.choices[0].message.tool_calls:
    output = weather(**json.loads(call.function.arguments))
    print("called:", output)
    messages.append({"role": "tool", "tool_call_id": call.id, "content": output})
chat = client.chat.completions.create(model="gpt-5.5", tools=tools, messages=messages)
print("chat tool:", chat.choices[0].message.content)

chat = client.chat.completions.parse(
    model="gpt-5.5",
    messages=[{"role": "user", "content": "Soup?"}],
    response_format=Recipe,
)
print("chat structured:", repr(chat.choices[0].message.parsed))

try:
    client.chat.completions.create(model="gpt-unknown", messages=question)
except BadRequestError as error:
    print("chat error:", error.code, error.message)

print("models:", *(model.id for model in client.models.list()))
