// The token of the person who looks at the page. It lives in memory alone: a reload or a closed tab forgets it.

let held = null;

export const token = () => held;

/** Takes a token, or lets it go; pages hear of it by the event `token`. */
export function hold(text) {
  held = text?.trim() || null;
  dispatchEvent(new Event("token"));
}

export const authorization = () => held ? { authorization: `Bearer ${held}` } : {};
