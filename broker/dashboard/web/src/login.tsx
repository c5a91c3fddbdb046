// The door, where reads are not open.

import { useEffect, useRef } from "preact/hooks";
import { key, signIn } from "./state";

export function Login({ why }: { why: { status: number; detail: string } }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  if (why.status === 421) {
    return (
      <main class="door card">
        <h1>Not under this name</h1>
        <p role="alert">{why.detail}</p>
      </main>
    );
  }
  return (
    <main class="door card">
      <h1>hb-mesh</h1>
      {key.value ? <p role="alert" class="bad">This key was refused: {why.detail}.</p> : <p>Enter an API key that may read. It is kept until this tab is closed.</p>}
      <form
        onSubmit={(e) => {
          e.preventDefault();
          const secret = input.current?.value.trim();
          if (secret) signIn(secret);
        }}
      >
        <label for="key">API key</label>
        <input id="key" ref={input} type="password" autoComplete="off" spellcheck={false} required />
        <button class="btn" type="submit">Open</button>
      </form>
    </main>
  );
}
