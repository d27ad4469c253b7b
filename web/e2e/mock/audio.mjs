// A stereo WAV that sounds where the turns are: the agent's tone on one channel,
// the client's on the other. 8 kHz, 16 bit.

const RATE = 8000

/** A WAV file of a call and its peaks, two lists of 0..255. */
export function synthesise(turns, seconds, agentChannel, buckets = 1000) {
  const frames = Math.round(seconds * RATE)
  const wav = Buffer.alloc(44 + frames * 4)
  wav.write('RIFF', 0)
  wav.writeUInt32LE(36 + frames * 4, 4)
  wav.write('WAVEfmt ', 8)
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20) // PCM
  wav.writeUInt16LE(2, 22) // channels
  wav.writeUInt32LE(RATE, 24)
  wav.writeUInt32LE(RATE * 4, 28)
  wav.writeUInt16LE(4, 32)
  wav.writeUInt16LE(16, 34)
  wav.write('data', 36)
  wav.writeUInt32LE(frames * 4, 40)

  const peaks = [new Array(buckets).fill(0), new Array(buckets).fill(0)]
  for (const turn of turns) {
    const channel = turn.speaker === 'agent' ? agentChannel : 1 - agentChannel
    const pitch = turn.speaker === 'agent' ? 220 : 150
    const end = Math.min(frames, Math.round(turn.end * RATE))
    for (let i = Math.round(turn.start * RATE); i < end; i++) {
      const syllable = 0.35 + 0.65 * Math.abs(Math.sin((i / RATE) * 9 + pitch))
      const value = Math.sin((2 * Math.PI * pitch * i) / RATE) * syllable * 0.4
      wav.writeInt16LE(Math.round(value * 32767), 44 + i * 4 + channel * 2)
      const bucket = Math.min(buckets - 1, Math.floor((i / frames) * buckets))
      peaks[channel][bucket] = Math.max(peaks[channel][bucket], Math.round(Math.abs(value) * 600))
    }
  }
  return { wav, peaks: peaks.map((p) => p.map((v) => Math.min(255, v))) }
}
