#!/bin/sh
# The training recipe on a handful of rendered pictures, where its packages are there:
# test_train.sh SOURCE_FOLDER; VKDET_TEST_PYTHON names the interpreter
set -eu
cd "$1"
python=${VKDET_TEST_PYTHON:-python3}
if ! "$python" -c 'import cv2, numpy, torch' >/dev/null 2>&1; then
    echo "SKIPPED train_recipe: $python lacks the packages of models/train/requirements.txt (VKDET_TEST_PYTHON names another)"
    exit 77
fi
PYTHONDONTWRITEBYTECODE=1 exec "$python" -m unittest models.train.test_train
