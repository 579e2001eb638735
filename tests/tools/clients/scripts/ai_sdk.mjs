import { openai } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const Recipe = z.object({ title: z.string(), minutes: z.number().int() });
const tools = {
  weather: tool({
    description: "Tell the weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => {
      console.log("called: Rain in", city);
      return `Rain in ${city}`;
    },
  }),
};

// OPENAI_BASE_URL, OPENAI_API_KEY
for (const [name, api] of [["responses", openai.responses], ["chat", openai.chat]]) {
  const model = api("gpt-5.5");
  let { text } = await generateText({ model, prompt: "demo:say(forty two)" });
  console.log(`${name} plain:`, text);

  const deltas = [];
  for await (const part of streamText({ model, prompt: "demo:say(one two three)" })
    .textStream)
    deltas.push(part);
  console.log(`${name} stream:`, deltas.join("|"));

  const stopWhen = stepCountIs(5);
  ({ text } = await generateText({ model, tools, stopWhen, prompt: "demo:tool" }));
  console.log(`${name} tool:`, text);

  // Without, it names items that it takes for stored.
  const providerOptions = { openai: { store: false } };
  const messages = [{ role: "user", content: "demo:reasoning" }];
  const { response } = await generateText({ model, providerOptions, messages });
  messages.push(...response.messages, { role: "user", content: "demo:say(and on)" });
  ({ text } = await generateText({ model, providerOptions, messages }));
  console.log(`${name} history:`, text);

  const output = Output.object({ schema: Recipe });
  const made = await generateText({ model, output, prompt: "Soup?" });
  console.log(`${name} structured:`, JSON.stringify(made.output));

  try {
    await generateText({ model: api("gpt-unknown"), prompt: "hi", maxRetries: 0 });
  } catch (error) {
    console.log(`${name} error:`, error.statusCode, error.message);
  }
}
