"""Chat models: providers, structured output, the retry layer, usage and cost."""
