/** Looks at every byte, wherever the first difference is. Of unequal lengths only that shows. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  // The Workers runtime has a primitive for this; elsewhere (Node) it is done by hand.
  if ('timingSafeEqual' in crypto.subtle) return crypto.subtle.timingSafeEqual(a, b);
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
