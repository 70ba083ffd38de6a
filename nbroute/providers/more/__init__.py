"""More kinds of providers, for protocols that are not OpenAI's: each file here is one.

The file's name is the `kind` in nbroute.toml. It has `provider(name, *, base_url, api_key,
api_key_env, timeout_s, deadline_s, kind)`, which makes the Provider.
"""
