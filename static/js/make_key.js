// Makes a key pair in the browser (P-256, which every browser with WebCrypto knows): the private half is saved as a file and
// forgotten, the public half is filled into the form. Without WebCrypto the box is hidden; without scripts it never shows.
(() => {
  const box = document.querySelector("[data-make-key]");
  const field = document.querySelector("textarea[name=public_key]");
  if (!box || !field) return;
  if (!globalThis.crypto?.subtle) {
    box.hidden = true;
    return;
  }
  const button = box.querySelector("[data-make-key-button]");
  const said = box.querySelector("[data-make-key-said]");
  const failed = box.querySelector("[data-make-key-failed]");

  const base64url = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
  // RFC 7638: the required members in order of their names, without spaces.
  const fingerprintOf = async ({ crv, kty, x, y }) =>
    base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify({ crv, kty, x, y }))));
  const save = (jwk, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(jwk, null, 2)}\n`], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const make = async () => {
    const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
    const { kty, crv, x, y, d } = await crypto.subtle.exportKey("jwk", pair.privateKey);
    const fingerprint = await fingerprintOf({ crv, kty, x, y });
    const about = { kid: fingerprint, use: "enc", alg: "ECDH-ES+A256KW" };
    const name = `${box.dataset.filename}-private-key.json`;
    save({ kty, crv, x, y, d, ...about }, name);
    field.value = JSON.stringify({ kty, crv, x, y, ...about }, null, 2);
    box.querySelector("[data-make-key-file]").textContent = name;
    box.querySelector("[data-make-key-fingerprint]").textContent = fingerprint;
  };

  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await make();
      said.hidden = false;
      failed.hidden = true;
    } catch {
      failed.hidden = false;
    }
    button.disabled = false;
  });
})();
