// Browsers start no Worker for pages that are opened from the disk. The search has one: here it runs in a hidden frame.
// The theme would load such a stand-in from a network (site_pages.py puts this one in its place).
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.append(this.frame)
      const inside = this.frame.contentWindow
      // What the worker sends comes to this page as a message of the frame.
      window.addEventListener("message", (event) => {
        if (event.source !== inside) return
        const sent = new MessageEvent("message", { data: event.data })
        this.dispatchEvent(sent)
        if (this.onmessage) this.onmessage(sent)
      })
      this.ready = new Promise((resolve, reject) => {
        inside.document.open()
        inside.document.write(`<!doctype html><body><script>
          window.importScripts = (...urls) => urls.flat().reduce((before, url) => before.then(() =>
            new Promise((loaded, failed) => {
              const script = document.createElement("script")
              script.src = url
              script.onload = loaded
              script.onerror = failed
              document.body.append(script)
            })), Promise.resolve())
          window.postMessage = (data) => parent.postMessage(data, "*")
        <\/script></body>`)
        inside.document.close()
        const script = inside.document.createElement("script")
        script.src = url
        script.onload = resolve
        script.onerror = reject
        inside.document.body.append(script)
      })
    }

    postMessage(data) {
      this.ready.then(() => {
        this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }))
      })
    }

    terminate() {
      this.frame.remove()
    }
  }
}
