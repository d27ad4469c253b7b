import { startMock } from './server.mjs'

const { url } = await startMock({ port: Number(process.env.PORT ?? 8788) })
console.log(`mock appliance at ${url}, login admin, password demo-demo-demo`)
