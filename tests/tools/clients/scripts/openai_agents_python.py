import asyncio

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI, BadRequestError
from openai.types.responses import ResponseTextDeltaEvent
from pydantic import BaseModel

set_tracing_disabled(True)  # traces go to OpenAI, and need a key of OpenAI's


class Recipe(BaseModel):
    title: str
    minutes: int


@function_tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    print("called: Rain in", city)
    return f"Rain in {city}"


async def try_all(name, model):
    """`model` is a name, for the Responses API, or a model of chat completions."""

    def agent(**more):
        return Agent(name="Helper", instructions="Be brief.", model=model(), **more)

    result = await Runner.run(agent(), "demo:say(forty two)")
    print(f"{name} plain:", result.final_output)

    streamed = Runner.run_streamed(agent(), "demo:say(one two three)")
    deltas = [
        event.data.delta
        async for event in streamed.stream_events()
        if event.type == "raw_response_event"
        and isinstance(event.data, ResponseTextDeltaEvent)
    ]
    print(f"{name} stream:", "|".join(deltas))

    result = await Runner.run(agent(), "demo:reasoning")
    history = result.to_input_list()
    history.append({"role": "user", "content": "demo:say(and on)"})
    result = await Runner.run(agent(), history)
    print(f"{name} history:", result.final_output)

    result = await Runner.run(agent(tools=[weather]), "demo:tool")
    print(f"{name} tool:", result.final_output)

    result = await Runner.run(agent(output_type=Recipe), "Soup?")
    print(f"{name} structured:", repr(result.final_output))

    try:
        await Runner.run(Agent(name="Helper", model=model("gpt-unknown")), "hi")
    except BadRequestError as error:
        print(f"{name} error:", error.code, error.message)


async def main():
    client = AsyncOpenAI()  # OPENAI_BASE_URL, OPENAI_API_KEY
    await try_all("responses", lambda name="gpt-5.5": name)
    await try_all(
        "chat", lambda name="gpt-5.5": OpenAIChatCompletionsModel(name, client)
    )


asyncio.run(main())
