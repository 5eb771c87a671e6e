#!/usr/bin/env python3
"""Shows an answer of a server as it comes, with OpenAI's own client.

stream.py URL PROMPT
"""

import sys

import openai


def main():
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} URL PROMPT")
    url, prompt = sys.argv[1:]
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        model = client.models.list().data[0].id
        stream = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": prompt}], max_tokens=24, stream=True
        )
        for chunk in stream:
            print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
