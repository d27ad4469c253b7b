const GLIDE_MS = 260

/**
 * Moves a box's scroll position to top within GLIDE_MS; the answer stops it.
 *
 * Not scrollTo's own smooth behaviour: Chromium swallows the wheel while such a
 * scroll is under way, and the person who wants to look elsewhere is carried on.
 */
export function glide(box: HTMLElement, top: number): () => void {
  const goal = Math.min(Math.max(0, top), box.scrollHeight - box.clientHeight)
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
    box.scrollTop = goal
    return () => undefined
  }
  const from = box.scrollTop
  const begun = performance.now()
  let frame = requestAnimationFrame(function move(now) {
    const left = 1 - Math.min(1, Math.max(0, (now - begun) / GLIDE_MS))
    box.scrollTop = goal - (goal - from) * left ** 3 // fast, then slowing down
    if (left > 0) frame = requestAnimationFrame(move)
  })
  return () => cancelAnimationFrame(frame)
}
