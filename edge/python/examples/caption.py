"""Captions the images named on the command line with the model in the wheel: python caption.py image.jpg"""
import sys

from cssa_onboard import Captioner

captioner = Captioner()
paths = sys.argv[1:] or sys.exit("usage: caption.py IMAGE...")
for path, caption in zip(paths, captioner.caption_batch(paths)):
    doubt = f" ({', '.join(caption.reasons)})" if caption.outside else ""
    print(f"{path}: {caption.text}{doubt}")
