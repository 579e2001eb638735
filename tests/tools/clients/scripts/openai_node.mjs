import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI(); // OPENAI_BASE_URL, OPENAI_API_KEY
const model = "gpt-5.5";
const Recipe = z.object({ title: z.string(), minutes: z.number().int() });
const weather = ({ city }) => `Rain in ${city}`;
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

// Responses
let response = await client.responses.create({ model, input: "demo:say(forty two)" });
console.log("responses plain:", response.output_text);

const stream = await client.responses.create({
  model, input: "demo:say(one two three)", stream: true,
});
const deltas = [];
for await (const event of stream)
  if (event.type === "response.output_text.delta") deltas.push(event.delta);
console.log("responses stream:", deltas.join("|"));

const tools = [{ type: "function", name: "weather", parameters, strict: true }];
const input = [{ role: "user", content: "demo:tool" }];
response = await client.responses.create({ model, tools, input });
input.push(...response.output);
for (const call of response.output) {
  const output = weather(JSON.parse(call.arguments));
  console.log("called:", output);
  input.push({ type: "function_call_output", call_id: call.call_id, output });
}
response = await client.responses.create({ model, tools, input });
console.log("responses tool:", response.output_text);

const parsed = await client.responses.parse({
  model, input: "Soup?", text: { format: zodTextFormat(Recipe, "recipe") },
});
console.log("responses structured:", JSON.stringify(parsed.output_parsed));

try {
  await client.responses.create({ model: "gpt-unknown", input: "hi" });
} catch (error) {
  console.log("responses error:", error.constructor.name, error.message);
}

// Chat completions
const asked = (content) => [{ role: "user", content }];
const chat = await client.chat.completions.create({
  model, messages: asked("demo:say(forty two)"),
});
console.log("chat plain:", chat.choices[0].message.content);

const chunks = [];
for await (const chunk of await client.chat.completions.create({
  model, messages: asked("demo:say(one two three)"), stream: true,
}))
  if (chunk.choices[0]?.delta?.content) chunks.push(chunk.choices[0].delta.content);
console.log("chat stream:", chunks.join("|"));

const runner = client.chat.completions.runTools({
  model,
  messages: asked("demo:tool"),
  tools: [{
    type: "function",
    function: {
      name: "weather",
      parameters,
      parse: JSON.parse,
      function: (given) => {
        console.log("called:", weather(given));
        return weather(given);
      },
    },
  }],
});
console.log("chat tool:", await runner.finalContent());

const completion = await client.chat.completions.parse({
  model, messages: asked("Soup?"), response_format: zodResponseFormat(Recipe, "recipe"),
});
console.log("chat structured:", JSON.stringify(completion.choices[0].message.parsed));

try {
  await client.chat.completions.create({ model: "gpt-unknown", messages: asked("hi") });
} catch (error) {
  console.log("chat error:", error.constructor.name, error.message);
}
