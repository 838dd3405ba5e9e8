#!/usr/bin/env bash
# Makes the excerpts from the corpora's clips (see README.md).
# Usage: tests/data/voices/make.sh FOLDER   (one that holds the corpora; needs
# ffmpeg, 5.1 made those here)
set -euo pipefail
corpora=${1:?folder that holds the corpora}
cd "$(dirname "$0")"
excerpt() { # CORPUS CLIP START
    ffmpeg -hide_banner -loglevel error -nostdin -y \
        -ss "$3" -t 0.6 -i "$(find "$corpora/$1" -name "$2.*" | head -n 1)" \
        -ac 1 -ar 16000 -c:a flac -sample_fmt s16 -compression_level 12 -metadata_header_padding 0 \
        -map_metadata -1 -bitexact -fflags +bitexact -flags:a +bitexact "$1-$2.flac"
}
excerpt cremad 1009_WSI_HAP_XX 0.7
excerpt cremad 1017_DFA_HAP_XX 0.4
excerpt cremad 1036_ITH_SAD_XX 0.9
excerpt cremad 1066_TAI_SAD_XX 1.2
excerpt cremad 1074_DFA_SAD_XX 0.5
excerpt nemo KS0_anger_27 1.1
excerpt nemo MP0_neutral_85 0.2
excerpt ravdess 03-01-01-01-02-02-16 1.0
excerpt ravdess 03-01-06-02-01-01-08 1.5
excerpt vctk_noisy p232_089 0.8
excerpt vctk_noisy p232_206 0.6
excerpt vctk_noisy p232_302 0.7
