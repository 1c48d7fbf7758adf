// Opens the API reference of this server. Ours, not part of swagger-ui-dist.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
