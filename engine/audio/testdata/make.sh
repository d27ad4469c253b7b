#!/bin/sh
# Makes the recordings of this folder with ffmpeg and lame, and lengths.txt with
# the number of samples ffmpeg decodes from each. Left 440 Hz, right 1 kHz.
set -eu
cd "$(dirname "$0")"
rm -f *.mp3 *.wav lengths.txt
make() { # NAME RATE CHANNELS OPTIONS...
    name=$1 rate=$2 channels=$3; shift 3
    if [ "$channels" = 2 ]; then tone='0.5*sin(2*PI*440*t)|0.5*sin(2*PI*1000*t)'; else tone='0.5*sin(2*PI*440*t)'; fi
    ffmpeg -loglevel error -f lavfi -i "aevalsrc='$tone':s=$rate:d=${seconds:-2}" "$@" "$name"
}
make 8k-mono.mp3 8000 1 -b:a 16k
make 8k-stereo.mp3 8000 2 -b:a 32k -joint_stereo 0
make 8k-stereo-noxing.mp3 8000 2 -b:a 32k -write_xing 0
make 11k-mono.mp3 11025 1 -b:a 16k
make 16k-stereo.mp3 16000 2 -b:a 32k
make 22k-mono.mp3 22050 1 -b:a 24k
make 24k-lowest.mp3 24000 1 -b:a 8k
make 32k-stereo.mp3 32000 2 -b:a 64k
make 44k-vbr.mp3 44100 2 -q:a 5
make 44k-joint.mp3 44100 2 -b:a 64k -joint_stereo 1
make 48k-mono.mp3 48000 1 -b:a 48k
make 48k-stereo.mp3 48000 2 -b:a 96k -joint_stereo 0
make 16k-id3.mp3 16000 1 -b:a 24k -id3v2_version 3 -write_id3v1 1 -metadata title='Разговор' -metadata artist=АТС
make 8k-alaw.wav 8000 2 -c:a pcm_alaw
make 8k-mulaw.wav 8000 1 -c:a pcm_mulaw
make 16k-24.wav 16000 1 -c:a pcm_s24le
make 8k-u8.wav 8000 1 -c:a pcm_u8
make 8k-float.wav 8000 1 -c:a pcm_f32le
make 8k-adpcm.wav 8000 1 -c:a adpcm_ima_wav
seconds=30 make 8k-long.mp3 8000 2 -b:a 8k
seconds=20 make 44k-long-vbr.mp3 44100 2 -q:a 9
make lame.wav 8000 2 -c:a pcm_s16le
lame --quiet --resample 8 -m j -b 24 lame.wav 8k-lame.mp3
lame --quiet --resample 8 -m j -b 24 -t lame.wav 8k-lame-bare.mp3
rm lame.wav
for f in *.mp3 *.wav; do
    channels=$(ffprobe -loglevel error -show_entries stream=channels -of csv=p=0 "$f" | tr -d ,)
    bytes=$(ffmpeg -loglevel error -i "$f" -f s16le - | wc -c)
    echo "$f $channels $((bytes / 2 / channels))" >>lengths.txt
done
