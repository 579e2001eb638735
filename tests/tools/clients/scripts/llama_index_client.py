import asyncio
import os

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI, OpenAIResponses
from openai import BadRequestError
from pydantic import BaseModel


class Recipe(BaseModel):
    title: str
    minutes: int


def weather(city: str) -> str:
    """Tell the weather of a city."""
    print("called: Rain in", city)
    return f"Rain in {city}"


async def try_all(name, kind):
    # The key is read from OPENAI_API_KEY.
    def llm(model="gpt-5.5"):
        return kind(model=model, api_base=os.environ["OPENAI_BASE_URL"])

    print(f"{name} plain:", llm().complete("demo:say(forty two)"))
    chunks = [chunk.delta for chunk in llm().stream_complete("demo:say(one two three)")]
    print(f"{name} stream:", "|".join(filter(None, chunks)))
    agent = FunctionAgent(tools=[weather], llm=llm(), system_prompt="Be brief.")
    print(f"{name} tool:", await agent.run("demo:tool"))
    recipe = llm().as_structured_llm(Recipe).complete("Soup?")
    print(f"{name} structured:", repr(recipe.raw))
    try:
        llm("gpt-unknown").complete("hi")
    except (BadRequestError, ValueError) as error:
        print(f"{name} error:", error)


async def main():
    await try_all("responses", OpenAIResponses)
    await try_all("chat", OpenAI)


asyncio.run(main())
