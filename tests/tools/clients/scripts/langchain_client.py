from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import BadRequestError
from pydantic import BaseModel


class Recipe(BaseModel):
    title: str
    minutes: int


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    print("called: Rain in", city)
    return f"Rain in {city}"


def try_all(name, **which):
    # OPENAI_BASE_URL, OPENAI_API_KEY
    model = ChatOpenAI(model="gpt-5.5", temperature=0, **which)
    print(f"{name} plain:", model.invoke("demo:say(forty two)").text)
    chunks = [chunk.text for chunk in model.stream("demo:say(one two three)")]
    print(f"{name} stream:", "|".join(filter(None, chunks)))
    agent = create_agent(model, tools=[weather], system_prompt="Be brief.")
    result = agent.invoke({"messages": [{"role": "user", "content": "demo:tool"}]})
    print(f"{name} tool:", result["messages"][-1].text)
    recipe = model.with_structured_output(Recipe).invoke("Soup?")
    print(f"{name} structured:", repr(recipe))
    try:
        ChatOpenAI(model="gpt-unknown", **which).invoke("hi")
    except BadRequestError as error:
        print(f"{name} error:", error.code, error.message)


try_all("responses", use_responses_api=True)
try_all("chat", use_responses_api=False)
