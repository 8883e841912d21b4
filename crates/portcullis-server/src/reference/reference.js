// Starts the API reference. It is a file of its own because the page's Content-Security-Policy allows no inline script.
"use strict";

// The style sheet is dark under this class alone; it does not ask what the reader prefers.
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  // Without this, the document's address is sent to a validator on the Internet.
  validatorUrl: null,
  // A link must not be able to put another document, with servers of its own, in front of a reader who has a key.
  queryConfigEnabled: false,
  // A key stays in the memory of the page and is gone with it.
  persistAuthorization: false,
  // A request is made with the key that the reader entered, and never with a cookie that the browser happens to have.
  requestInterceptor: (request) => {
    if (!request.loadSpec) {
      request.credentials = "omit";
    }
    return request;
  },
});
