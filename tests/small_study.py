"""A measured study of six cells, which runs in seconds."""

#: A study of six cells and one law: everything that the full one has, in seconds.
SMALL = """
run: [small]
studies:
  - name: small
    question: Does a small study run?
    measured: workflow/reference/published_errors.csv
    vision: clip-vit-l-14-336
    llms: [qwen1.5-0.5b, qwen1.5-4b, qwen1.5-7b]
    compressors: [{name: tokenpacker, tokens: [1, 16, 576]}]
    suites: [{name: visual_reasoning, title: Visual reasoning, role: reasoning}]
    predict: [qwen1.5-14b]
    text_tokens: [0, 50]
    fit: {laws: [product], bootstrap: 20}
    figures: [fig1a]
    published: {values: workflow/reference/published_values.csv}
    claims: [five_times_faster, visual_alpha]
"""
