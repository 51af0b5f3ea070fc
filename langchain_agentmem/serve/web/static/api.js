// The page's requests. Changes carry a token that only this origin can read.

let token = "";

async function answer(...request) {
  const response = await fetch(...request).catch(() => {
    throw new Error("The demo does not answer. Is it still running?");
  });
  const said = await response.json().catch(() => ({ error: `The server answered ${response.status}` }));
  if (!response.ok) throw new Error(said.error);
  return said;
}

export async function read(what, query = {}) {
  return answer(`/api/${what}?${new URLSearchParams(query)}`);
}

export async function change(what, body = {}) {
  return answer(`/api/${what}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Agentmem-Token": token },
    body: JSON.stringify(body),
  });
}

export async function hello() {
  const said = await read("hello");
  token = said.token;
  return said;
}

/** Listens to server-sent events: a handler for each kind, and `state(connected)`. */
export function listen(handlers, state) {
  const source = new EventSource("/api/events");
  for (const [kind, handle] of Object.entries(handlers)) {
    source.addEventListener(kind, (event) => handle(JSON.parse(event.data)));
  }
  source.onopen = () => state(true);
  source.onerror = () => state(false);
}
