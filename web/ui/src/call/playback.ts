import { onBeforeUnmount, reactive, type ShallowRef, watch } from 'vue'

/** The speeds of the player, in the order of the keys 1, 2, 3. */
export const SPEEDS = [1, 1.5, 2] as const
export type Speed = (typeof SPEEDS)[number]

export interface Playback {
  time: number // seconds
  playing: boolean
  speed: Speed
  failed: boolean // the audio could not be loaded
  play(): void
  pause(): void
  toggle(): void
  seek(seconds: number): void
  setSpeed(speed: Speed): void
}

/** Drives an <audio> element; time follows it every frame while it plays. */
export function usePlayback(audio: Readonly<ShallowRef<HTMLAudioElement | null>>): Playback {
  let frame = 0

  const playback = reactive<Playback>({
    time: 0,
    playing: false,
    speed: 1,
    failed: false,
    play() {
      // A refusal shows itself as the element's error event; an interrupted
      // start (pause right after play) is no error at all.
      audio.value?.play().catch(() => undefined)
    },
    pause() {
      audio.value?.pause()
    },
    toggle() {
      // The element knows at once what was asked of it; "playing" comes only with the sound.
      if (audio.value?.paused === false) playback.pause()
      else playback.play()
    },
    seek(seconds) {
      const element = audio.value
      if (!element) return
      const end = Number.isFinite(element.duration) ? element.duration : Infinity
      playback.time = element.currentTime = Math.min(Math.max(0, seconds), end)
    },
    setSpeed(speed) {
      playback.speed = speed
      if (audio.value) audio.value.playbackRate = speed
    },
  })

  function follow() {
    cancelAnimationFrame(frame)
    const element = audio.value
    if (!element) return
    playback.time = element.currentTime
    if (!element.paused) frame = requestAnimationFrame(follow)
  }

  const listeners: Record<string, () => void> = {
    playing: () => {
      playback.playing = true
      playback.failed = false
      follow()
    },
    pause: () => {
      playback.playing = false
      follow()
    },
    ended: () => {
      playback.playing = false
    },
    seeked: follow,
    timeupdate: follow, // frames stop in a hidden tab, this does not
    error: () => {
      playback.playing = false
      playback.failed = true
    },
    loadedmetadata: () => {
      playback.failed = false
      if (audio.value) audio.value.playbackRate = playback.speed // a new source resets it
    },
  }

  watch(audio, (element, before) => {
    for (const [event, listener] of Object.entries(listeners)) {
      before?.removeEventListener(event, listener)
      element?.addEventListener(event, listener)
    }
  })

  onBeforeUnmount(() => cancelAnimationFrame(frame))
  return playback
}
