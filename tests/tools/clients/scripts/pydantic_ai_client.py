import asyncio

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError


class Recipe(BaseModel):
    title: str
    minutes: int


async def try_all(name, provider):
    model = f"{provider}:gpt-5.5"  # OPENAI_BASE_URL, OPENAI_API_KEY
    agent = Agent(model, instructions="Be brief.")

    result = await agent.run("demo:say(forty two)")
    print(f"{name} plain:", result.output)

    async with agent.run_stream("demo:say(one two three)") as streamed:
        deltas = [
            text async for text in streamed.stream_text(delta=True, debounce_by=None)
        ]
    print(f"{name} stream:", "|".join(deltas))

    helper = Agent(model)

    @helper.tool_plain
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        print("called: Rain in", city)
        return f"Rain in {city}"

    print(f"{name} tool:", (await helper.run("demo:tool")).output)

    cook = Agent(model, output_type=Recipe)
    print(f"{name} structured:", repr((await cook.run("Soup?")).output))

    try:
        await Agent(f"{provider}:gpt-unknown").run("hi")
    except ModelHTTPError as error:
        print(f"{name} error:", error.status_code, error.message)


async def main():
    await try_all("responses", "openai-responses")
    await try_all("chat", "openai-chat")


asyncio.run(main())
