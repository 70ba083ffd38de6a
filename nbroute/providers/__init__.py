"""The endpoints: each turns a Request into Chunks, and every trouble into a ProviderError."""
