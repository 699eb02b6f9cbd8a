// Sends JSON to the API; throws an error with the API's message if it refuses.
export async function send(path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error("The server does not answer: try again.");
  }
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}
