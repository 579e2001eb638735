import instructor
from instructor.core import InstructorRetryException
from openai import OpenAI
from pydantic import BaseModel


class Recipe(BaseModel):
    title: str
    minutes: int


def try_all(name, mode):
    # OPENAI_BASE_URL, OPENAI_API_KEY
    client = instructor.from_provider("openai/gpt-5.5", mode=mode)
    recipe = client.create(
        response_model=Recipe, messages=[{"role": "user", "content": "Soup?"}]
    )
    print(f"{name} structured:", repr(recipe))


try_all("chat tools", instructor.Mode.TOOLS)
try_all("chat strict tools", instructor.Mode.TOOLS_STRICT)
try_all("chat json schema", instructor.Mode.JSON_SCHEMA)
try_all("responses tools", instructor.Mode.RESPONSES_TOOLS)

client = instructor.from_openai(OpenAI())
partial = client.chat.completions.create_partial(
    model="gpt-5.5",
    response_model=Recipe,
    messages=[{"role": "user", "content": "Soup?"}],
)
print("chat stream:", repr(list(partial)[-1]))
try:
    client.chat.completions.create(
        model="gpt-unknown",
        response_model=Recipe,
        max_retries=0,
        messages=[{"role": "user", "content": "hi"}],
    )
except InstructorRetryException as error:
    print("chat error:", error)
