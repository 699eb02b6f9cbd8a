// What the API refuses: its message, the option it is about, and when to try again, in seconds.
export class Refusal extends Error {
  constructor(message, status = 0, option = null, wait = 0) {
    super(message);
    Object.assign(this, { status, option, wait });
  }
}

// Sends JSON to the API, or asks for some without a body; throws a Refusal if it refuses.
export async function send(path, body, signal) {
  let answer;
  try {
    answer = await fetch(path, body === undefined ? { signal } : {
      signal,
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch (problem) {
    if (signal?.aborted) throw problem;
    throw new Refusal("The server does not answer: try again.");
  }
  return read(answer);
}

// Reads an answer; throws an error with its message if it is a refusal.
export async function read(answer) {
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  const content = await answer.json();
  if (answer.ok) return content;
  throw new Refusal(content.error, answer.status, content.option, Number(answer.headers.get("Retry-After")));
}
