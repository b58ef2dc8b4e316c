"""A model that always says the same thing, so that tests of editors know what must be on the screen.

It is the tiny model of random weights with its layers switched off (they add nothing to the residual stream) and an
output layer that maps each token of the text to the next: what it says does not hang on the prompt, only on its end.
"""

from pathlib import Path

from tests.helpers.tiny import tiny_model_folder

# A file with a hole at the end of line 6, and what belongs there.
SOURCE = "def area(width, height):\n    return width * height\n\n\ndef volume(width, height, depth):\n    return \n"
SAID = "width * height + depth"


def parrot_folder(folder: Path, text: str, *, after: tuple[str, ...] = ()) -> Path:
    """Write a hub-layout folder of a model that says `text` and ends; return it.

    Parameters
    ----------
    folder
        Made if missing.
    text
        No token of it may come twice.
    after
        Texts whose last token also starts it; the token before the middle in FIM prompts always does.
    """
    import torch
    from safetensors.torch import load_file, save_file

    from guiderail.model.tokenizer import Tokenizer

    tiny_model_folder("guiderail", folder, edit_config=lambda config: config.update(tie_word_embeddings=False))
    tokenizer = Tokenizer.from_folder(folder)
    said = tokenizer.encode(text)
    assert len(set(said)) == len(said), f"a token comes twice in {text!r}"
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            tensor.zero_()
        elif "norm" in name:
            tensor.fill_(1.0)
    embedding = torch.randn(tensors["model.embed_tokens.weight"].shape, generator=torch.Generator().manual_seed(0))
    head = torch.zeros_like(embedding)
    starts = [tokenizer.special["<|fim_middle|>"], *(tokenizer.encode(one)[-1] for one in after)]
    for token in set(starts) - set(said):
        head[said[0]] += embedding[token]
    for token, following in zip(said, [*said[1:], min(tokenizer.eos_ids)], strict=True):
        head[following] += embedding[token]
    tensors |= {"model.embed_tokens.weight": embedding, "lm_head.weight": head}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
