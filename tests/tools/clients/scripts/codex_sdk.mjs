import { Codex } from "@openai/codex-sdk";

const codex = new Codex({
  config: {
    model_provider: "gateway",
    model_providers: {
      gateway: {
        name: "gateway",
        base_url: `${process.env.GATEWAY_URL}/backend-api/codex`,
        wire_api: "responses",
        supports_websockets: true,
        env_key: "OPENAI_API_KEY",
      },
    },
  },
});
const options = {
  model: "gpt-5.5", skipGitRepoCheck: true, sandboxMode: "danger-full-access",
};
const thread = codex.startThread(options);
console.log("plain:", (await thread.run("demo:say(forty two)")).finalResponse);

const { events } = await thread.runStreamed("demo:say(one two three)");
const seen = [];
for await (const event of events)
  if (event.type === "item.completed") seen.push(event.item.text);
console.log("stream:", seen.join("|"));

const turn = await thread.run("demo:tool(echo Rain in A scripted answer)");
for (const item of turn.items)
  if (item.type === "command_execution") console.log("called:", item.aggregated_output);
console.log("tool:", turn.finalResponse);

const outputSchema = {
  type: "object",
  properties: { title: { type: "string" } },
  required: ["title"],
  additionalProperties: false,
};
console.log("structured:", (await thread.run("Soup?", { outputSchema })).finalResponse);

try {
  await codex.startThread({ ...options, model: "gpt-unknown" }).run("hi");
} catch (error) {
  console.log("error:", error.message);
}
