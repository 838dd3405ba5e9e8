#!/usr/bin/env bash
# Makes the fixture recordings from two CREMA-D clips (see README.md).
# Usage: tests/data/make.sh FOLDER-OF-CREMA-D-CLIPS   (needs ffmpeg; 5.1 made those here)
set -euo pipefail
corpus=${1:?folder that holds the CREMA-D clips}
cd "$(dirname "$0")"
ff() { ffmpeg -hide_banner -loglevel error -nostdin -y "$@"; }
exact=(-map_metadata -1 -bitexact -fflags +bitexact -flags:a +bitexact)
find_clip() { find "$corpus" -name "$1.*" | head -n 1; }

# The two references, 16 kHz, 16 bits.
ff -i "$(find_clip 1001_DFA_ANG_XX)" -ac 1 -ar 16000 "${exact[@]}" speech.wav
ff -i "$(find_clip 1012_IEO_SAD_HI)" -ss 0.5 -t 1.6 -ac 1 -ar 16000 "${exact[@]}" quiet.wav

# 1.2 s of the first, from 0.3 s, in every container, width, rate and channel
# count that people have. Resampling is ffmpeg's own.
make() { # NAME RATE CHANNELS OPTIONS…
    local name=$1 rate=$2 channels=$3
    shift 3
    # Plain `-ac 2` would take 3 dB away.
    local layout='mono|c0=c0'
    [ "$channels" = 1 ] || layout='stereo|c0=c0|c1=c0'
    ff -ss 0.3 -t 1.2 -i speech.wav -af "pan=$layout" -ar "$rate" "$@" "${exact[@]}" "$name"
}
make u8-16000-1ch.wav 16000 1 -c:a pcm_u8
make s16-8000-2ch.wav 8000 2 -c:a pcm_s16le
make s24-22050-1ch.wav 22050 1 -c:a pcm_s24le
make s32-16000-1ch.wav 16000 1 -c:a pcm_s32le
make f32-11025-2ch.wav 11025 2 -c:a pcm_f32le
make s16-96000-1ch.flac 96000 1 -c:a flac -metadata_header_padding 0 -sample_fmt s16 -compression_level 12
make s24-44100-2ch.flac 44100 2 -c:a flac -metadata_header_padding 0 -sample_fmt s32 -bits_per_raw_sample 24 -compression_level 12
make mpeg1-44100-2ch.mp3 44100 2 -c:a libmp3lame -b:a 64k
make mpeg2-22050-1ch.mp3 22050 1 -c:a libmp3lame -q:a 4
make vorbis-48000-2ch.ogg 48000 2 -c:a libvorbis -q:a 4 -page_duration 100000
make aac-44100-2ch.m4a 44100 2 -c:a aac -b:a 96k
make aac-48000-1ch.m4a 48000 1 -c:a aac -b:a 64k -movflags +faststart
