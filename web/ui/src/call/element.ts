import { defineCustomElement } from 'vue'
import css from './fly-call.css?inline'
import FlyCall from './FlyCall.vue'

/** Registers <fly-call>. A page may load both the application and the bundle; the first one stays. */
if (!customElements.get('fly-call')) {
  customElements.define('fly-call', defineCustomElement(FlyCall, { styles: [css] }))
}
