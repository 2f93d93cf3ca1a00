#!/usr/bin/env python3
"""Caption scores by pycocoevalcap 1.2, the peer of `cssa::metrics`.

    coco_scores.py HYPOTHESES.json DATASET.json SPLIT [--no-meteor]

HYPOTHESES maps file names to captions; DATASET is in the Karpathy layout (images[].filename, .split,
.sentences[].raw). Prints one JSON object: bleu_1 to bleu_4, meteor, rouge_l, cider. Needs Java, numpy and
`pip install pycocoevalcap==1.2`.
"""

import argparse
import contextlib
import json
import sys


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hypotheses", help="JSON object: file name to caption")
    parser.add_argument("dataset", help="dataset in the Karpathy layout")
    parser.add_argument("split", help="train, val or test")
    parser.add_argument("--no-meteor", action="store_true", help="leave METEOR out")
    return parser.parse_args()


def load_corpus(arguments):
    """References and hypotheses of the split's images, in the dataset's order."""
    with open(arguments.hypotheses, encoding="utf-8") as file:
        captions = json.load(file)
    with open(arguments.dataset, encoding="utf-8") as file:
        images = [image for image in json.load(file)["images"] if image["split"] == arguments.split]
    if not images:
        sys.exit(f"error: {arguments.dataset} has no images in split {arguments.split}")
    references, hypotheses = {}, {}
    for image in images:
        name = image["filename"]
        if name not in captions:
            sys.exit(f"error: {arguments.hypotheses} has no hypothesis for {name} of split {arguments.split}")
        if not image["sentences"]:
            sys.exit(f"error: {name} has no sentences in {arguments.dataset}")
        references[name] = [{"caption": sentence["raw"]} for sentence in image["sentences"]]
        hypotheses[name] = [{"caption": captions[name]}]
    return references, hypotheses


def score(references, hypotheses, with_meteor):
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenizer = PTBTokenizer()
    references, hypotheses = tokenizer.tokenize(references), tokenizer.tokenize(hypotheses)
    bleu, _ = Bleu(4).compute_score(references, hypotheses, verbose=0)
    scores = {f"bleu_{order}": float(value) for order, value in enumerate(bleu, start=1)}
    if with_meteor:
        from pycocoevalcap.meteor.meteor import Meteor

        scores["meteor"] = float(Meteor().compute_score(references, hypotheses)[0])
    scores["rouge_l"] = float(Rouge().compute_score(references, hypotheses)[0])
    scores["cider"] = float(Cider().compute_score(references, hypotheses)[0])
    return scores


def main():
    arguments = parse_arguments()
    references, hypotheses = load_corpus(arguments)
    with contextlib.redirect_stdout(sys.stderr):
        scores = score(references, hypotheses, not arguments.no_meteor)
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
