// Sets the theme before the first paint, so that a dark screen does not flash
// white. The key is the one the application's switch writes.
(function () {
  var chosen = null
  try {
    chosen = localStorage.getItem('vueuse-color-scheme')
  } catch (e) {
    // Storage may be forbidden; the system's choice stands.
  }
  var dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.classList.toggle('dark', dark)
})()
