import { Agent, run, setOpenAIAPI, setTracingDisabled, tool } from "@openai/agents";
import { z } from "zod";

setTracingDisabled(true); // traces go to OpenAI, and need a key of OpenAI's

const Recipe = z.object({ title: z.string(), minutes: z.number().int() });
const weather = tool({
  name: "weather",
  description: "Tell the weather of a city.",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    console.log("called: Rain in", city);
    return `Rain in ${city}`;
  },
});
const agent = (more) =>
  new Agent({ name: "Helper", instructions: "Be brief.", model: "gpt-5.5", ...more });

for (const [name, api] of [["responses", "responses"], ["chat", "chat_completions"]]) {
  setOpenAIAPI(api); // OPENAI_BASE_URL, OPENAI_API_KEY
  let result = await run(agent(), "demo:say(forty two)");
  console.log(`${name} plain:`, result.finalOutput);

  const streamed = await run(agent(), "demo:say(one two three)", { stream: true });
  const deltas = [];
  for await (const text of streamed.toTextStream()) deltas.push(text);
  await streamed.completed;
  console.log(`${name} stream:`, deltas.join("|"));

  result = await run(agent({ tools: [weather] }), "demo:tool");
  console.log(`${name} tool:`, result.finalOutput);

  result = await run(agent({ outputType: Recipe }), "Soup?");
  console.log(`${name} structured:`, JSON.stringify(result.finalOutput));

  try {
    await run(agent({ model: "gpt-unknown" }), "hi");
  } catch (error) {
    console.log(`${name} error:`, error.constructor.name, error.message);
  }
}
