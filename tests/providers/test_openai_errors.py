"""What an endpoint's error is about: its words and codes as vendors send them, and keys in them.

The bodies are from the vendors' pages and from what users report of them; each names its source.
"""

from __future__ import annotations

import json
import traceback
from base64 import b64encode
from urllib.parse import quote

import pytest
from loopback import Reply

from nbroute import errors
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.types import Message, Request

KEY = "sk-proj-Zx81/Qm+Wv73TnLd20RkEe"
DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"


def google(status, message, name, **details):
    return [{"error": {"code": status, "message": message, "status": name, "details": [details]}}]


def exhausted(quota):
    # https://github.com/google-gemini/gemini-cli/issues/8437
    words = "You exceeded your current quota, please check your plan and billing details."
    failed = {"@type": "QuotaFailure", "violations": [{"quotaId": quota}]}
    return google(429, words, "RESOURCE_EXHAUSTED", **failed, retryDelay="36s")


BAD = errors.BadReply
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
FLAGGED = {"reasons": ["violence"], "flagged_input": "the API key is invalid", "provider_name": "X"}
#: status, body, what it is, what the line says
TOLD = {
    # https://openrouter.ai/docs/api/reference/errors-and-debugging
    "openrouter moderation": (
        403,
        {"error": {"code": 403, "message": "Your input was flagged", "metadata": FLAGGED}},
        errors.Moderated,
        "Rephrase",
    ),
    "openrouter credit": (
        402,
        {"error": {"code": 402, "message": "Insufficient credits. Add more using ..."}},
        errors.QuotaUsedUp,
        "add credit",
    ),
    "openrouter budget in flight": (
        402,
        {"error": {"code": 402, "message": "wait", "metadata": {"limit_source": "in_flight"}}},
        errors.RateLimited,
        "Wait",
    ),
    "openrouter free models": (
        429,
        {"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-day. "}},
        errors.QuotaUsedUp,
        "does not help",
    ),
    "openrouter key limit": (
        403,
        {"error": {"code": 403, "message": "Key limit exceeded (monthly limit)."}},
        errors.QuotaUsedUp,
        "add credit",
    ),
    # https://github.com/stanford-crfm/helm/pull/3327
    "azure content filter": (
        400,
        {
            "error": {
                "message": "The response was filtered due to the prompt triggering Azure OpenAI's "
                "content management policy. Please modify your prompt and retry.",
                "param": "prompt",
                "code": "content_filter",
                "innererror": {"code": "ResponsibleAIPolicyViolation"},
            }
        },
        errors.Moderated,
        "Rephrase",
    ),
    # https://github.com/deepseek-ai/DeepSeek-V2/issues/30
    "deepseek risk": (400, {"detail": "Content Exists Risk"}, errors.Moderated, "Exists Risk"),
    # https://github.com/QwenLM/qwen-code/issues/3145
    "qwen inspection": (
        400,
        {"error": {"message": "InternalError.Algo.DataInspectionFailed: Input text data may ..."}},
        errors.Moderated,
        "Rephrase",
    ),
    "xai guidelines": (
        403,
        {
            "code": "The caller does not have permission",
            "error": "Content violates usage guidelines",
        },
        errors.Moderated,
        "Rephrase",
    ),
    # https://github.com/cequence-io/openai-scala-client/issues/109
    "gemini key": (
        400,
        google(
            400,
            "API key not valid. Please pass a valid API key.",
            "INVALID_ARGUMENT",
            reason="API_KEY_INVALID",
        ),
        errors.AuthError,
        "TEST_KEY to a valid key",
    ),
    # https://github.com/i-am-bee/beeai-framework/issues/447
    "xai key": (
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "Incorrect%20API%20key%20provided:%20ba***na.",
        },
        errors.AuthError,
        "Incorrect API key provided: ba***na",
    ),
    # https://github.com/BerriAI/litellm/pull/20837
    "litellm proxy key": (
        400,
        {"error": {"message": "No connected db.", "type": "no_db_connection", "code": "400"}},
        errors.AuthError,
        "valid key",
    ),
    # https://github.com/home-assistant/core/issues/120072
    "openai region": (
        403,
        {
            "error": {
                "code": "unsupported_country_region_territory",
                "message": "Country, region, or territory not supported",
                "type": "request_forbidden",
            }
        },
        errors.AuthError,
        "not served from where you are",
    ),
    # https://github.com/poenl/gemini-api/issues/4
    "gemini region": (
        400,
        google(400, "User location is not supported for the API use.", "FAILED_PRECONDITION"),
        errors.AuthError,
        "not served from where you are",
    ),
    "openai scope": (
        403,
        {"error": {"message": "You have insufficient permissions. Missing scopes: model.request"}},
        errors.AuthError,
        "one that may use this model",
    ),
    # https://platform.openai.com/docs/guides/error-codes
    "openai quota": (
        429,
        {
            "error": {
                "message": "You exceeded your current quota, please check your plan and billing "
                "details.",
                "type": "insufficient_quota",
                "code": "insufficient_quota",
            }
        },
        errors.QuotaUsedUp,
        "add credit",
    ),
    "openai rate": (
        429,
        {
            "error": {
                "message": "Rate limit reached on requests per min. Limit: 3 / min. Please add a "
                "payment method: https://platform.openai.com/account/billing",
                "code": "rate_limit_exceeded",
            }
        },
        errors.RateLimited,
        "Wait",
    ),
    # https://console.groq.com/docs/rate-limits
    "groq day": (
        429,
        {"error": {"message": "Rate limit reached on tokens per day (TPD): Limit 100000"}},
        errors.QuotaUsedUp,
        "does not help",
    ),
    # https://github.com/elizaOS/eliza/issues/4040
    "groq too large": (
        413,
        {
            "error": {
                "message": "Request too large for model `llama-3.1-8b-instant` on tokens per "
                "minute (TPM): Limit 6000, Requested 6294, please reduce your message size",
                "code": "rate_limit_exceeded",
            }
        },
        errors.QuotaUsedUp,
        "the limit of your account on this model",
    ),
    "openai too large": (
        429,
        {"error": {"message": "Request too large for gpt-4o on tokens per min (TPM): Limit 30000"}},
        errors.QuotaUsedUp,
        "the limit of your account on this model",
    ),
    "gemini day": (429, exhausted(DAY), errors.QuotaUsedUp, "does not help"),
    "gemini minute": (429, exhausted(MINUTE), errors.RateLimited, "Wait"),
    # https://github.com/google-gemini/gemini-cli/issues/14811
    "gemini busy": (
        429,
        google(429, "Resource has been exhausted (e.g. check quota).", "RESOURCE_EXHAUSTED"),
        errors.RateLimited,
        "Wait",
    ),
    # https://github.com/anthropics/claude-quickstarts/issues/229
    "anthropic credit": (
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "Your credit balance is too low to access the Anthropic API. Please go "
                "to Plans & Billing to upgrade or purchase credits.",
            },
        },
        errors.QuotaUsedUp,
        "add credit",
    ),
    # https://github.com/MoonshotAI/Kimi-K2/issues/5
    "moonshot quota": (
        403,
        {"error": {"message": "exceeded current quota", "type": "exceeded_current_quota_error"}},
        errors.QuotaUsedUp,
        "add credit",
    ),
    # https://github.com/continuedev/continue/issues/11443
    "moonshot balance": (
        429,
        {"error": {"message": "Your account is suspended due to insufficient balance, recharge"}},
        errors.QuotaUsedUp,
        "add credit",
    ),
    # https://github.com/continuedev/continue/issues/10373
    "xai credit": (
        429,
        "Your team has either used all available credits or reached its monthly spending limit.",
        errors.QuotaUsedUp,
        "add credit",
    ),
    "perplexity quota": (
        401,
        {"error": {"message": "You exceeded your current quota", "type": "insufficient_quota"}},
        errors.QuotaUsedUp,
        "add credit",
    ),
    # https://docs.litellm.ai/docs/proxy/users
    "litellm budget": (
        400,
        {"error": {"message": "Budget has been exceeded! Current cost: 0.2", "code": "400"}},
        errors.QuotaUsedUp,
        "add credit",
    ),
    # https://github.com/badlogic/pi-mono/blob/main/packages/ai/src/utils/overflow.ts
    **{
        f"too long {place}": (status, {"error": {"message": words}}, errors.ContextTooLong, words)
        for place, (status, words) in enumerate(
            (
                (400, "prompt is too long: 213462 tokens > 200000 maximum"),
                (400, "Your input exceeds the context window of this model"),
                (400, "The input token count (1196265) exceeds the maximum number of tokens (9)"),
                (400, "This model's maximum prompt length is 131072 but the request has 537812"),
                (400, "Please reduce the length of the messages or completion"),
                (400, "the request exceeds the available context size, try increasing it"),
                (500, "context size has been exceeded"),
                (400, "Trying to keep the first 5000 tokens with a context length of only 4096"),
                (400, "Cannot truncate prompt with n_keep (5546) >= n_ctx (4096)"),
                (400, "Prompt contains 40000 tokens, too large for model with 32768 maximum"),
                (400, "The decoder prompt (length 5000) is longer than the maximum model length"),
                (400, "Requested token count exceeds the model's maximum context length of 4096"),
                (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096"),
                (400, "Your request exceeded model token limit: 8192"),
                (400, "input length and `max_tokens` exceed context limit: 190000 + 20000"),
                (400, "too many tokens: the prompt cannot exceed 4081 tokens"),
                (413, "Payload Too Large"),
                (400, "Prompt length exceeds the maximum of 32768"),
                (400, "Requested input length 40000 exceeds maximum input length 32768"),
                (422, "Input validation error: `inputs` must have less than 1024 tokens."),
                (400, "Total tokens of image and text exceed max message tokens"),
                (500, "input is too large to process. increase the physical batch size"),
            )
        )
    },
    **{
        words: (status, {"error": {"message": words}}, kind, says)
        for status, words, kind, says in (
            # https://github.com/anthropics/claude-code/issues/236 (Bedrock)
            (429, "Too many tokens, please wait before trying again.", errors.RateLimited, "Wait"),
            # https://github.com/minorun365/agent-book/issues/29
            (429, "Too many tokens per day, please wait.", errors.QuotaUsedUp, "does not help"),
            # https://github.com/anomalyco/opencode/issues/7463 (Cerebras)
            (
                429,
                "Tokens per minute limit exceeded - too many tokens.",
                errors.RateLimited,
                "Wait",
            ),
            (429, "Monthly token limit exceeded", errors.QuotaUsedUp, "add credit"),
            (200, "Rate limit exceeded", errors.RateLimited, "Wait"),
            # https://github.com/MCPJam/inspector/issues/1287
            (403, "Key limit exceeded (total limit).", errors.QuotaUsedUp, "add credit"),
            (403, "This API method requires billing to be enabled.", errors.QuotaUsedUp, "credit"),
            (429, "Your credit is exhausted", errors.QuotaUsedUp, "add credit"),
            # https://github.com/winfunc/opcode/issues/358
            (
                401,
                "key not allowed to access model. Tried gpt-5",
                errors.UnknownModel,
                "may use it",
            ),
            (401, "You must log in to access models", errors.AuthError, "valid key"),
            # https://github.com/anthropics/claude-code/issues/1466
            (400, "Model ID x with on-demand throughput isn't", errors.UnknownModel, "name"),
            (400, "The provided model identifier is invalid.", errors.UnknownModel, "name"),
            (400, "No models loaded. Please load a model", errors.UnknownModel, "name"),
            (403, "The model is not available in your region.", errors.UnknownModel, "served from"),
            (
                400,
                "Access is not allowed from unsupported countries",
                errors.AuthError,
                "where you",
            ),
            (400, "login fail: carry the API secret key in", errors.AuthError, "valid key"),
            (400, "Invalid token", errors.AuthError, "valid key"),
            (400, "Prompt blocked due to security configurations", errors.Moderated, "Rephrase"),
            # https://portkey.ai/docs/product/guardrails
            (446, "Guardrail violation", errors.Moderated, "Rephrase"),
            (400, "系统检测到输入可能包含敏感内容。", errors.Moderated, "内容。 Rephrase"),
            (400, "text content blocks must be non-empty", errors.RequestRejected, "Change"),
            (400, "the temperature is too large", errors.RequestRejected, "Change"),
            # https://github.com/build-with-groq/g1/pull/23
            (400, "Failed to generate JSON. See 'failed_generation'", errors.BadReply, "Ask again"),
            # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
            (424, "an error while processing", errors.Unavailable, "Try again"),
            (400, "DEGRADED function cannot be invoked", errors.Unavailable, "fallback"),
        )
    },
    # https://console.groq.com/docs/deprecations
    "groq model": (
        400,
        {
            "error": {
                "message": "The model `mixtral-8x7b-32768` has been decommissioned and is no "
                "longer supported.",
                "code": "model_decommissioned",
            }
        },
        errors.UnknownModel,
        "Check the model's name",
    ),
    "openai model": (
        403,
        {"error": {"message": "Project `p` does not have access to model `gpt-4.1`"}},
        errors.UnknownModel,
        "your account may use it",
    ),
    "a dot in a name": (
        400,
        {"error": {"message": "The model `gpt-4.1` does not exist"}},
        errors.UnknownModel,
        "Check the model's name",
    ),
    # https://docs.claude.com/en/api/errors
    "anthropic overloaded": (
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        errors.Unavailable,
        "name a fallback",
    ),
    "a page": (
        403,
        "<html><body>Sign in: your content is moderated, invalid API key</body></html>",
        errors.BadReply,
        "a web page (HTML)",
    ),
    "a page in Latin-1": (
        400,
        "<html><title> Schlüssel </title>".encode("latin-1"),
        errors.BadReply,
        "a web page (HTML) called 'Schlüssel'. Check whether a proxy",
    ),
    "words beside a name": (
        400,
        {"statusCode": 400, "error": "Bad Request", "message": "invalid API key."},
        errors.AuthError,
        "invalid API key. Set",
    ),
    "a flag": (400, {"error": True, "reason": "bad thing"}, errors.RequestRejected, "bad thing."),
    "Latin-1": (422, '{"error": "größer"}'.encode("latin-1"), errors.RequestRejected, "größer."),
    "a proxy": (407, {"message": "no"}, errors.Unavailable, "whether a proxy"),
    "no redirect": (302, {"message": "log in"}, errors.RequestRejected, "log in. Check base_url"),
    "a parameter": (
        400,
        {"error": {"message": "Unsupported value: 'top_k' is not supported with this model."}},
        errors.RequestRejected,
        "Change the prompt or the option",
    ),
    "a wrong method": (405, {"detail": "Method Not Allowed"}, errors.RequestRejected, "base_url"),
    "legal reasons": (451, {"error": {"message": "no"}}, errors.Moderated, "another vendor"),
    "too early": (425, {"error": {"message": "no"}}, errors.Unavailable, "again"),
    "groq flex": (498, {"error": {"message": "capacity_exceeded"}}, errors.RateLimited, "Wait"),
    "closed": (499, {"error": {"message": "cancelled"}}, errors.Unavailable, "again"),
    "cloudflare": (522, "error code: 522", errors.Unavailable, "name a fallback"),
}


@pytest.fixture
def provider(server):
    made = OpenAICompatible("test", server.url, KEY, max_retries=0, api_key_env="TEST_KEY")
    yield made
    made.close()


def failure(provider, **parts):
    request = Request("test", "some/model", (Message("user", "hello"),), 64, **parts)
    with pytest.raises(errors.ProviderError) as caught:
        list(provider.send(request))
    return caught.value


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_words_and_codes_say_what_an_error_is(server, provider, told):
    status, body, kind, says = told
    server.reply(status=status, body=body)

    error = failure(provider)

    assert kind is type(error)
    assert says in str(error)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 429, "message": "slow down"}, errors.RateLimited),
        ({"code": "401", "message": "no"}, errors.AuthError),
        ({"code": 403, "message": "no", "metadata": FLAGGED}, errors.Moderated),
        ({"message": "prompt is too long"}, errors.ContextTooLong),
        ({"code": 502, "message": "upstream went away"}, errors.BadReply),
    ],
)
def test_an_error_inside_a_200_is_read_in_the_same_way(server, provider, stream, error, kind):
    server.reply(body={"error": error})

    assert kind is type(failure(provider, stream=stream))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("FinishReason.MAX_TOKENS", "length"),
        ("model_context_window_exceeded", "length"),
        ("SAFETY", "content_filter"),
        ("content_filter: RECITATION", "content_filter"),
        ("content-filter", "content_filter"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("tool_calls", "tool_calls"),
        ("error", BAD),
        ("function_call_filter: MALFORMED_FUNCTION_CALL", BAD),
        ("insufficient_system_resource", BAD),
    ],
)
def test_why_an_answer_ended_is_read_in_the_words_of_every_vendor(
    server, provider, word, ours, *, stream
):
    server.reply(text="Half an", finish_reason=word, usage=USAGE)
    pieces = provider.send(
        Request("test", "some/model", (Message("user", "x"),), 64, stream=stream)
    )
    seen = [next(pieces)]

    if ours is BAD:
        with pytest.raises(errors.BadReply, match=word.split()[-1]):
            seen.extend(pieces)
    else:
        seen.extend(pieces)
        assert ours == seen[-1].finish_reason
    assert (1000, 500) == (seen[-1].usage.input_tokens, seen[-1].usage.output_tokens)


@pytest.mark.parametrize("where", ["top", "choice"])
def test_an_answer_that_failed_on_the_way_asks_the_fallback(make_router, server, where):
    # https://openrouter.ai/docs/api/reference/errors-and-debugging
    error = {"code": "server_error", "message": "Provider disconnected"}
    choice = {"delta": {"content": ""}, "finish_reason": "error", "native_finish_reason": "ERR"}
    last = {"choices": [choice], "usage": USAGE}
    last |= {"error": error} if where == "top" else {"choices": [choice | {"error": error}]}
    first = {"choices": [{"delta": {"content": "Half an"}, "finish_reason": None}]}
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in (first, last))
    server.reply(body=body, content_type="text/event-stream")
    router = make_router()

    result = router.route("hello")
    again = router.route("hello")

    failed, answered = result.attempts
    assert ("small-2", "ok") == (answered.model, result.text)
    assert ("error", "Half an", 1000) == (failed.status, failed.text, failed.input_tokens)
    assert "Provider disconnected" in failed.error
    assert failed.cost_usd > 0
    assert "ok" == again.text  # of the first model, whose half an answer was not kept
    assert ["small", "small-2", "small"] == [seen.json["model"] for seen in server.requests]


def test_where_to_add_money_is_told_for_the_vendors_that_are_known():
    from nbroute.providers.openai_errors import Call, of_status

    told = {
        host: str(of_status(402, "", Call(host, f"https://{host}/v1", "m", 1, None, None)))
        for host in ("openrouter.ai", "api.deepseek.com", "gateway.example")
    }
    assert "https://openrouter.ai/settings/credits" in told["openrouter.ai"]
    assert "https://platform.deepseek.com/top_up" in told["api.deepseek.com"]
    assert "at gateway.example" in told["gateway.example"]


def coded(key, before=""):
    return b64encode(f"{before}{key}".encode()).decode()


@pytest.mark.parametrize(
    "shown",
    [
        KEY,
        f"Authorization: Bearer {KEY}",
        KEY[:8],
        KEY[9:17],
        f"{KEY[:4]}...{KEY[-4:]}",
        f"{KEY[:10]}*********{KEY[-4:]}",
        f"key={KEY[:5]}xxxxxxxx{KEY[-3:]}",
        f"{KEY[:7]}----{KEY[-4:]}",
        f"{KEY[:7]}<redacted>{KEY[-4:]}",
        f"{KEY[:5]}[...]{KEY[-4:]}",
        quote(KEY, safe=""),
        "".join(f"%{ord(character):02x}" for character in KEY),
        "".join(f"\\u{ord(character):04x}" for character in KEY),
        KEY[::-1],
        KEY.upper(),
        KEY.encode().hex(),
        coded(KEY),
        coded(KEY, "u:"),
        coded(KEY, "ab"),
        f"http://user:{KEY}@proxy.example:8080",
    ],
)
def test_no_part_of_a_key_reaches_the_error(server, provider, shown):
    server.reply(status=401, error=f"refused ({shown}) here")

    words = str(failure(provider))

    assert "refused (" in words
    assert ") here" in words
    parts = {KEY[at : at + 6] for at in range(len(KEY) - 5)}
    coded_parts = {coded(KEY, lead)[4:12] for lead in ("", "u:", "ab")}
    assert not any(part in words for part in {*parts, *coded_parts, KEY[-4:]})
    assert "[key]" in words or "//proxy" in words


def test_a_short_key_is_taken_out_of_the_servers_words_and_not_out_of_ours(server):
    provider = OpenAICompatible("test", server.url, "x", max_retries=0)
    server.reply(html=True)
    server.reply(status=401, error="maximum: no such key 'x'")

    assert "a proxy or a login page" in str(failure(provider))
    assert "maximum: no such key '[key]'" in str(failure(provider))
    provider.close()


def test_the_password_in_an_address_is_not_shown(server):
    address = server.url.replace("//", "//me:secret@").replace("/v1", "/nowhere")
    provider = OpenAICompatible("test", address, KEY, max_retries=0)

    words = str(failure(provider))

    assert "secret" not in words
    assert server.url.replace("/v1", "/nowhere") in words
    provider.close()


@pytest.mark.parametrize("reply", [{"status": 401, "error": KEY}, {"html": True}, {"cut_after": 1}])
def test_no_variable_of_a_call_that_failed_shows_the_key(make_router, server, reply):
    server.handler = lambda _: Reply(text="one two three", **reply)

    with pytest.raises(errors.ProviderError) as caught:
        make_router(api_key=KEY).route("hello", tier="MID")

    assert caught.value.__context__ is None
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)][1:]
    shown = [repr(value) for frame in frames for value in frame.f_locals.values()]
    assert len(frames) > 5
    assert not [one for one in shown if KEY[:12] in one and "test_openai_errors" not in one]
