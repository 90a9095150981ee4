// Adds what NHS.UK frontend does by script: focus on messages, and buttons that take one press. Every page works
// without it.
import { initAll } from "/assets/nhsuk-frontend.js";

document.body.classList.add("js-enabled", "nhsuk-frontend-supported");
initAll();
