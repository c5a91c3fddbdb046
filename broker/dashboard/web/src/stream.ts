// Server-sent events over fetch: unlike EventSource it sends the key as a
// header (never in a URL), sees heartbeats, and can be ended when it is dead
// without an error, as a phone's stream is after a change of network.

export interface Listener {
  event(name: string, data: string): void;
  alive(): void;
  lost(): void;
  /** denied: the server wants another key, or another name; the stream ends. */
  denied(status: number, detail: string): void;
}

const firstPause = 300;
const longestPause = 5000;
const watchEvery = 500;

export class Stream {
  private ctl = new AbortController();
  private lastByte = Date.now();
  private lastId = "";
  private wake: () => void = () => {};
  private ended = false;
  private watch: number;

  /** limit is how long a living stream may be silent, in ms. */
  limit = 12500;

  constructor(private url: string, private key: string, private to: Listener, lastId = "") {
    this.lastId = lastId;
    this.watch = window.setInterval(this.check, watchEvery);
    window.addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
    void this.run();
  }

  close(): void {
    this.ended = true;
    clearInterval(this.watch);
    window.removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.hurry);
    this.ctl.abort();
    this.wake();
  }

  /** check ends a stream that has been silent for too long. */
  private check = (): void => {
    if (Date.now() - this.lastByte > this.limit) {
      this.lastByte = Date.now();
      this.ctl.abort();
    }
  };

  /** hurry looks at once when the phone wakes or the network is back. */
  private hurry = (): void => {
    if (document.visibilityState === "visible") {
      this.check();
      this.wake();
    }
  };

  private async run(): Promise<void> {
    for (let pause = firstPause; !this.ended; pause = Math.min(pause * 2, longestPause)) {
      const began = Date.now();
      try {
        await this.once();
      } catch {
        // Whatever ended it, the answer is the same: say so, and come back.
      }
      if (this.ended) return;
      this.to.lost();
      if (Date.now() - began > longestPause) pause = firstPause;
      await new Promise<void>((go) => {
        this.wake = go;
        setTimeout(go, pause * (0.5 + Math.random() / 2));
      });
    }
  }

  private async once(): Promise<void> {
    this.ctl = new AbortController();
    this.lastByte = Date.now();
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.key) headers["x-api-key"] = this.key;
    if (this.lastId) headers["Last-Event-ID"] = this.lastId;
    const res = await fetch(this.url, { headers, cache: "no-store", signal: this.ctl.signal });
    if (res.status === 401 || res.status === 403 || res.status === 421) {
      const detail = await res.json().then((p: { detail?: string }) => p.detail ?? "", () => "");
      this.close();
      this.to.denied(res.status, detail);
      return;
    }
    if (!res.ok || !res.body) throw new Error(`status ${res.status}`);
    await this.read(res.body.getReader());
  }

  private async read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const text = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (this.ended) return;
      this.lastByte = Date.now();
      this.to.alive();
      rest += text.decode(value, { stream: true });
      for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
        this.block(rest.slice(0, end));
        rest = rest.slice(end + 2);
      }
    }
  }

  private block(block: string): void {
    let name = "message";
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("event: ")) name = line.slice(7);
      else if (line.startsWith("data: ")) data += line.slice(6);
      else if (line.startsWith("id: ")) this.lastId = line.slice(4);
    }
    if (data) this.to.event(name, data);
  }
}
