"""Small tokenizers that are trained on the spot, and chat templates in the styles of two families."""

from __future__ import annotations

import io
import json
from pathlib import Path

import sentencepiece
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

SPECIAL = ["<pad>", "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
CORPUS = [
    "The quick brown fox jumps over the lazy dog. It does so every day, says the dog.",
    "Once upon a time there was a model that answered every question with a number.",
    "Grüße aus Köln, naïve café, señor. Ünïcödé is everywhere: 東京, 京都, Привет мир, 🙂🙃👩‍👩‍👧.",
    '{"name": "Ada", "age": 36, "tags": ["a", "b"], "nested": {"ok": true, "none": null}}',
    "def main():\n    return 0\n\n\tindented  with   spaces",
]


def byte_level_bpe(vocab_size: int = 400) -> tokenizers.Tokenizer:
    """As Llama-3 has it: bytes, merges, BOS before each text."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 4, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 1)]
    )
    return tokenizer


def byte_fallback_bpe(vocab_size: int = 380) -> tokenizers.Tokenizer:
    """As Llama-2 has it: spaces are visible, what the vocabulary lacks is written in bytes."""
    tokenizer = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=list("abcdefghijklmnopqrstuvwxyz .,▁"),
        limit_alphabet=40,
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 4, trainer)
    vocab = tokenizer.get_vocab()
    state = json.loads(tokenizer.to_str())
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    state["model"]["vocab"] = vocab
    return tokenizers.Tokenizer.from_str(json.dumps(state))


def sentencepiece_model(path: Path) -> None:
    """A unigram model with bytes for what it lacks."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(CORPUS * 8),
        model_writer=model,
        vocab_size=400,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())


# Written for these tests after what the two families' prompts look like.
LLAMA_3_STYLE = """\
{{- bos_token }}
{%- set system = "" %}
{%- set rest = messages %}
{%- if messages[0].role == "system" %}
    {%- set system = messages[0].content | trim %}
    {%- set rest = messages[1:] %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\nToday Date: " }}
{{- date_string if date_string is defined else "26 Jul 2024" }}
{{- "\\n\\n" ~ system ~ "<|eot_id|>" }}
{%- for message in rest %}
    {%- if message.role not in ["user", "assistant", "tool"] %}
        {{- raise_exception("unknown role " ~ message.role) }}
    {%- endif %}
    {%- if tools is not none and loop.first and message.role == "user" %}
        {{- "<|start_header_id|>user<|end_header_id|>\\n\\nGiven these functions, answer with a call in JSON.\\n\\n" }}
        {%- for tool in tools %}
            {{- tool | tojson(indent=4) ~ "\\n\\n" }}
        {%- endfor %}
        {{- message.content | trim ~ "<|eot_id|>" }}
    {%- elif message.role == "tool" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or (message.content is iterable and message.content is not string) %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- elif message.tool_calls is defined and message.tool_calls %}
        {%- set call = message.tool_calls[0].function %}
        {{- "<|start_header_id|>assistant<|end_header_id|>\\n\\n" }}
        {{- '{"name": "' ~ call.name ~ '", "parameters": ' ~ call.arguments | tojson ~ "}<|eot_id|>" }}
    {%- else %}
        {{- "<|start_header_id|>" ~ message.role ~ "<|end_header_id|>\\n\\n" ~ message.content | trim ~ "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "<|start_header_id|>assistant<|end_header_id|>\\n\\n" }}
{%- endif %}
"""

GRANITE_4_STYLE = """\
{%- macro turn(role, text) -%}
{{ "<|start_of_role|>" ~ role ~ "<|end_of_role|>" ~ text ~ "<|end_of_text|>\\n" }}
{%- endmacro -%}
{%- set ns = namespace(system="", first=0, calls=0) -%}
{%- if messages[0]["role"] == "system" -%}
    {%- set ns.system = messages[0]["content"] -%}
    {%- set ns.first = 1 -%}
{%- endif -%}
{%- if tools -%}
    {%- set listing -%}
You may call these tools, one JSON object a line:
<tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>
    {%- endset -%}
    {%- set ns.system = (ns.system ~ "\\n\\n" ~ listing) if ns.system else listing -%}
{%- endif -%}
{%- if documents -%}
    {%- for document in documents -%}
        {%- set ns.system = ns.system ~ "\\nDocument " ~ loop.index ~ ": " ~ document.text -%}
    {%- endfor -%}
{%- endif -%}
{%- if ns.system -%}{{ turn("system", ns.system) }}{%- endif -%}
{%- for message in messages[ns.first:] -%}
    {%- if message["content"] is string -%}
        {%- set text = message["content"] -%}
    {%- else -%}
        {%- set found = namespace(text="") -%}
        {%- for part in message["content"] or [] -%}
            {%- if part["type"] != "text" -%}{%- continue -%}{%- endif -%}
            {%- set found.text = found.text ~ part["text"] -%}
        {%- endfor -%}
        {%- set text = found.text -%}
    {%- endif -%}
    {%- if message["role"] == "assistant" -%}
        {%- generation -%}
        {%- set calls -%}
            {%- for call in message.get("tool_calls") or [] -%}
                {%- set ns.calls = ns.calls + 1 -%}
<tool_call>
{{ {"name": call.function.name, "arguments": call.function.arguments} | tojson }}
</tool_call>
            {%- endfor -%}
        {%- endset -%}
        {{ turn("assistant", text ~ calls) }}
        {%- endgeneration -%}
    {%- elif message["role"] == "tool" -%}
        {{ turn("user", "<tool_response>\\n" ~ text ~ "\\n</tool_response>") }}
    {%- else -%}
        {{ turn(message["role"], text) }}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ "<|start_of_role|>assistant<|end_of_role|>" }}{%- endif -%}
"""
