// A customer's program on an unmodified Node SDK: one machine from its price to its end, told as one JSON object.
// tests/clients/test_other_sdks.py says what it must tell. Its argument chooses the SDK: "cn" or "intl".
import { createRequire } from 'node:module'

const load = createRequire(import.meta.url)
const { VMART_ENDPOINT, VMART_SECRET_ID, VMART_SECRET_KEY, VMART_ORDER, VMART_TOKEN } = process.env
const LIMIT_MS = 60_000
const REGION = 'ap-guangzhou'

/** An action by its name and members, on tencentcloud-sdk-nodejs-cvm. */
function callerOfCn() {
  const { Client } = load('tencentcloud-sdk-nodejs-cvm').cvm.v20170312
  const httpProfile = { protocol: 'http://', endpoint: VMART_ENDPOINT }
  const credential = { secretId: VMART_SECRET_ID, secretKey: VMART_SECRET_KEY }
  const client = new Client({ credential, region: REGION, profile: { language: 'en-US', httpProfile } })
  return (action, members = {}) => client[action](members)
}

/** The same on tencentcloud-sdk-nodejs-intl-en, which calls back. */
function callerOfIntl() {
  const { common, cvm } = load('tencentcloud-sdk-nodejs-intl-en')
  const { Client, Models } = cvm.v20170312
  const http = new common.HttpProfile('http://', VMART_ENDPOINT)
  const profile = new common.ClientProfile('TC3-HMAC-SHA256', http, 'en-US')
  const client = new Client(new common.Credential(VMART_SECRET_ID, VMART_SECRET_KEY), REGION, profile)
  return (action, members = {}) =>
    new Promise((resolve, reject) => {
      const request = new Models[`${action}Request`]()
      request.from_json_string(JSON.stringify(members))
      client[action](request, (error, answer) =>
        error ? reject(error) : resolve(JSON.parse(answer.to_json_string())))
    })
}

const call = { cn: callerOfCn, intl: callerOfIntl }[process.argv[2]]()
const order = JSON.parse(VMART_ORDER)

async function machines(id) {
  return (await call('DescribeInstances', { InstanceIds: [id] })).InstanceSet
}

/** Ask until the machines are as they should be; an error ends the program, which the test tells. */
async function until(id, awaited, isSo) {
  for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline; ) {
    if (isSo(await machines(id))) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`${id} is not ${awaited} after ${LIMIT_MS} ms`)
}

function untilState(id, state) {
  return until(id, state, ([machine]) => machine.InstanceState === state && machine.LatestOperationState === 'SUCCESS')
}

async function lookAround() {
  const zones = (await call('DescribeZones')).ZoneSet.map((zone) => zone.Zone).sort()
  const asked = { Filters: [{ Name: 'zone', Values: ['ap-guangzhou-4'] }] }
  const types = (await call('DescribeZoneInstanceConfigInfos', asked)).InstanceTypeQuotaSet.length
  const image = (await call('DescribeImages', { Limit: 1 })).ImageSet[0].ImageId
  const hourly = (await call('InquiryPriceRunInstances', order)).Price.InstancePrice.UnitPrice
  return { zones, types, image, hourly }
}

/** Twice with one ClientToken: the second answer names the same machine. */
async function buy() {
  const asked = { ...order, ClientToken: VMART_TOKEN }
  const [id] = (await call('RunInstances', asked)).InstanceIdSet
  const [again] = (await call('RunInstances', asked)).InstanceIdSet
  return { id, bought_once: id === again }
}

async function describe(id) {
  const [machine] = await machines(id)
  return {
    name: machine.InstanceName,
    type: machine.InstanceType,
    cpu: machine.CPU,
    disk: machine.SystemDisk.DiskSize,
    addresses: machine.PublicIpAddresses.length,
  }
}

async function act(action, id, state) {
  await call(action, { InstanceIds: [id] })
  await untilState(id, state)
}

/** Into the bin, then out of it. */
async function end(id) {
  await act('TerminateInstances', id, 'SHUTDOWN')
  await call('TerminateInstances', { InstanceIds: [id] })
  await until(id, 'gone', (left) => left.length === 0)
}

async function refusal() {
  const refused = await call('RunInstances', { ...order, Placement: { Zone: 'ap-nowhere-1' } }).catch((error) => error)
  return { error: refused.code, error_has_request: refused.requestId?.length === 36 }
}

const around = await lookAround()
const { id, bought_once } = await buy()
await untilState(id, 'RUNNING')
const machine = await describe(id)
await act('StopInstances', id, 'STOPPED')
await act('StartInstances', id, 'RUNNING')
await end(id)
console.log(JSON.stringify({ ...around, bought_once, ...machine, ...(await refusal()) }))
