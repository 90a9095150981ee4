// Signs in by a passkey, or adds one: what the server asked for stands in the form, and goes back in it. A form that
// needs a passkey is shown where there can be one; codes need no script.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const described = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

async function signed(options) {
  const asked = { ...options, challenge: bytes(options.challenge), allowCredentials: described(options.allowCredentials) };
  const { id, rawId, type, response } = await navigator.credentials.get({ publicKey: asked });
  return { id, rawId: text(rawId), type, response: {
    authenticatorData: text(response.authenticatorData), clientDataJSON: text(response.clientDataJSON),
    signature: text(response.signature), userHandle: response.userHandle ? text(response.userHandle) : undefined } };
}

async function made(options) {
  const asked = { ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: described(options.excludeCredentials) };
  const { id, rawId, type, response } = await navigator.credentials.create({ publicKey: asked });
  return { id, rawId: text(rawId), type, response: {
    attestationObject: text(response.attestationObject), clientDataJSON: text(response.clientDataJSON),
    transports: response.getTransports ? response.getTransports() : [] } };
}

for (const form of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) {
    continue;
  }
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const failed = form.querySelector("[data-passkey-failed]");
    failed.hidden = true;
    try {
      const { publicKey } = JSON.parse(form.dataset.options);
      const get = form.dataset.passkey === "get";
      form.elements[get ? "signed" : "made"].value = JSON.stringify(await (get ? signed : made)(publicKey));
      form.submit();
    } catch {
      failed.hidden = false;
    }
  });
}
