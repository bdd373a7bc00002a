// Shows the document that the page names. The policy of the page forbids scripts in it.
const api = document.getElementById("api");
SwaggerUIBundle({
  domNode: api,
  url: new URL(api.dataset.document, document.baseURI).href,
  deepLinking: true, // #/devices/list-devices can be sent to somebody
  docExpansion: "none",
  filter: true,
  defaultModelsExpandDepth: 0,
  displayOperationId: true,
  displayRequestDuration: true,
  persistAuthorization: false, // a token is not left behind in the browser
  validatorUrl: null, // the default asks another host
});
