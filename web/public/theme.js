// Runs before the first paint, so that the page is never shown in the wrong
// theme and then in the right one. Who is signed in is asked here too, while
// the pages themselves are still on their way.
;(function () {
  function cookie(name) {
    var m = document.cookie.match(new RegExp('(?:^|; )' + name + '=([^;]*)'))
    return m ? decodeURIComponent(m[1]) : ''
  }
  var theme = cookie('giro_theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  var language = cookie('giro_language')
  if (language) document.documentElement.lang = language
  window.giroSession = fetch('/v1/session', { headers: { Accept: 'application/json' }, credentials: 'same-origin' })
  window.giroSession.catch(function () {}) // told where it is awaited
})()
