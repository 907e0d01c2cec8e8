// Loaded before an example of docs/clients: what goes to Hugging Face's Hub goes to the one that HF_ENDPOINT names.
const platformFetch = globalThis.fetch;
globalThis.fetch = (url, options) => platformFetch(String(url).replace(/^https:\/\/huggingface\.co/, process.env.HF_ENDPOINT), options);
