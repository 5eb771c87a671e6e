// Tries a model by hand: sends a prompt or a chat, and shows the answer as it streams.
"use strict";

const element = (id) => document.getElementById(id);
let model = "";
let messages = [];
let running = null; // The AbortController of the request that runs.

function headers() {
  const found = { "Content-Type": "application/json" };
  const key = element("key").value.trim();
  if (key) found.Authorization = `Bearer ${key}`;
  return found;
}

function say(text, isError = false) {
  element("status").textContent = text;
  element("status").classList.toggle("error", isError);
}

async function failure(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `status ${response.status}`;
  }
}

async function loadModel() {
  const response = await fetch("v1/models", { headers: headers() });
  if (!response.ok) throw new Error(await failure(response));
  model = (await response.json()).data[0].id;
  element("model").textContent = model;
}

function show(role, text) {
  const article = document.createElement("article");
  article.className = role;
  article.textContent = text;
  element("output").append(article);
  return article;
}

function requestBody(chat, prompt) {
  const body = { model, stream: true, stream_options: { include_usage: true } };
  if (chat) body.messages = [...messages, { role: "user", content: prompt }];
  else body.prompt = prompt;
  for (const [id, field, parse] of [
    ["max-tokens", "max_tokens", parseInt],
    ["temperature", "temperature", parseFloat],
    ["seed", "seed", parseInt],
  ]) {
    if (element(id).value !== "") body[field] = parse(element(id).value);
  }
  return JSON.stringify(body);
}

// Calls `take` with each event of a stream. A line may come in several pieces.
async function readEvents(response, take) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
      const event = JSON.parse(line.slice(6));
      if (event.error) throw new Error(event.error.message);
      take(event);
    }
  }
}

async function send() {
  const prompt = element("prompt").value;
  const chat = document.querySelector("input[name=mode]:checked").value === "chat";
  if (!model) await loadModel();
  if (chat) show("user", prompt);
  const start = performance.now();
  const response = await fetch(chat ? "v1/chat/completions" : "v1/completions", {
    method: "POST",
    headers: headers(),
    body: requestBody(chat, prompt),
    signal: running.signal,
  });
  if (!response.ok) throw new Error(await failure(response));
  const article = show("assistant", chat ? "" : prompt);
  let answer = "";
  let usage = null;
  await readEvents(response, (event) => {
    usage = event.usage || usage;
    const choice = event.choices[0];
    const text = choice ? (chat ? choice.delta.content : choice.text) : "";
    if (text) {
      answer += text;
      article.textContent += text;
    }
  });
  if (chat) messages.push({ role: "user", content: prompt }, { role: "assistant", content: answer });
  const seconds = (performance.now() - start) / 1000;
  if (usage) say(`${usage.prompt_tokens} tokens in, ${usage.completion_tokens} out, ${seconds.toFixed(2)} s`);
}

element("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (running) return;
  running = new AbortController();
  element("send").disabled = true;
  element("stop").disabled = false;
  say("...");
  try {
    await send();
  } catch (error) {
    if (error.name === "AbortError") say("stopped");
    else say(error.message, true);
  } finally {
    running = null;
    element("send").disabled = false;
    element("stop").disabled = true;
  }
});
element("stop").addEventListener("click", () => running && running.abort());
element("clear").addEventListener("click", () => {
  messages = [];
  element("output").replaceChildren();
  say("");
});
element("key").addEventListener("change", () => loadModel().then(() => say("ready"), (error) => say(error.message, true)));
loadModel().then(() => say("ready"), (error) => say(error.message, true));
