'use strict';

const $ = (selector) => document.querySelector(selector);

// el builds an element; text never becomes markup.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null && child !== ''));
  return node;
}

// sync shows items in order and rebuilds only what changed, so that a player
// that plays goes on.
function sync(container, items, key, build) {
  const old = new Map([...container.children].map((node) => [node.dataset.key, node]));
  let after = null;
  for (const item of items) {
    const id = String(key(item));
    const print = JSON.stringify(item);
    let node = old.get(id);
    if (!node || node.dataset.print !== print) {
      const fresh = build(item);
      fresh.dataset.key = id;
      fresh.dataset.print = print;
      if (node) node.replaceWith(fresh);
      node = fresh;
    }
    old.delete(id);
    const place = after ? after.nextSibling : container.firstChild;
    if (node !== place) container.insertBefore(node, place);
    after = node;
  }
  for (const node of old.values()) node.remove();
}

const clock = (unix) => new Date(unix * 1000).toLocaleTimeString('ru', { hour: '2-digit', minute: '2-digit' });
const day = (unix) => new Date(unix * 1000).toLocaleDateString('ru', { day: 'numeric', month: 'long' });
const today = () => day(Date.now() / 1000);
const moment = (unix) => (day(unix) === today() ? clock(unix) : day(unix));
const length = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
const money = (roubles) => `${roubles.toLocaleString('ru')} ₽`;

let state = null;
let kind = kindOf(location.pathname) || 'leads';
let said = '';

function kindOf(path) {
  const found = path.match(/^\/(leads|contacts|companies|customers)\/detail\/\d+$/);
  return found && found[1];
}

// openCard is the card in the address: leads/41200517, or '' on the front page.
function openCard() {
  const found = location.pathname.match(/^\/(\w+)\/detail\/(\d+)$/);
  return found ? `${found[1]}/${found[2]}` : '';
}

const cardOf = (name) => state.cards.find((card) => card.card === name);

function go(event, page) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, '', page);
  load().then(() => { $('#feed').scrollTop = $('#feed').scrollHeight; });
  $('#call').elements.card.value = openCard() || $('#call').elements.card.value;
}

function showCards() {
  for (const tab of document.querySelectorAll('.tabs button')) tab.setAttribute('aria-pressed', tab.dataset.kind === kind);
  const list = state.cards.filter((card) => card.kind === kind)
    .map((card) => ({ ...card, open: card.card === openCard(), when: moment(card.at), names: card.linked.map((name) => cardOf(name)?.name) }));
  sync($('#cards'), list.length ? list : [{ card: 'none' }], (card) => card.card, (card) => {
    if (card.card === 'none') return el('div', { class: 'empty' }, 'Здесь пока нет карточек');
    const second = card.kind === 'leads' ? [card.names.join(', '), card.stage] : [(card.phones || []).join(', ') || card.names.join(', '), ''];
    return el('a', { class: 'card', href: card.page, 'aria-current': card.open && 'page', onclick: (event) => go(event, card.page) },
      el('div', { class: 'row' }, el('b', {}, card.name), el('time', {}, card.when)),
      el('div', { class: 'row sub' }, el('span', {}, second[0]), second[1] && el('span', {}, second[1])));
  });
}

function showAbout() {
  const card = cardOf(openCard());
  const titles = { leads: 'Сделка', contacts: 'Контакт', companies: 'Компания', customers: 'Покупатель' };
  let shown;
  if (card) {
    const facts = [
      el('span', {}, `${titles[card.kind]} ${card.card.split('/')[1]}`),
      card.kind === 'leads' && el('span', {}, 'Бюджет ', el('b', {}, money(card.price))),
      card.stage && el('span', {}, 'Этап ', el('b', {}, card.stage)),
      card.phones && el('span', {}, 'Телефон ', el('b', {}, card.phones.join(', '))),
      el('span', {}, 'Ответственный ', el('b', {}, card.who)),
      ...(card.linked || []).map((name) => {
        const other = cardOf(name);
        return other && el('span', {}, `${titles[other.kind]} `, el('a', { href: other.page, onclick: (event) => go(event, other.page) }, other.name));
      }),
      ...(card.tags || []).map((tag) => el('span', { class: 'tag' }, tag)),
    ].filter(Boolean);
    shown = [el('h1', {}, card.name), el('div', { class: 'facts' }, ...facts)];
    document.title = `${card.name} · ${state.account}`;
  } else if (openCard()) {
    shown = [el('h1', {}, 'Карточки нет'), el('div', { class: 'facts' }, 'Её удалили, или адрес записан с ошибкой. Выберите карточку слева.')];
  } else {
    shown = [el('h1', {}, 'Последние события'), el('div', { class: 'facts' }, 'Звонки и примечания всех карточек, новые внизу')];
  }
  $('#about').replaceChildren(...shown);
}

function wayIcon(incoming) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  const path = document.createElementNS(ns, 'path');
  svg.setAttribute('class', incoming ? 'way in' : 'way');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', incoming ? 'M13 3 4 12M4 5v7h7' : 'M3 13l9-9M5 4h7v7');
  path.setAttribute('fill', 'none');
  path.setAttribute('stroke', 'currentColor');
  path.setAttribute('stroke-width', '1.8');
  svg.append(path);
  return svg;
}

// linked turns addresses in a text into links.
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, i) => (i % 2 ? el('a', { href: part, target: '_blank', rel: 'noopener' }, part) : part));
}

function textOf(text) {
  const body = el('p', { class: 'text' }, ...linked(text));
  if (text.length < 700 && text.split('\n').length < 12) return [body];
  body.classList.add('folded');
  const more = el('button', { class: 'plain', onclick: () => { body.classList.remove('folded'); more.remove(); } }, 'Показать полностью');
  return [body, more];
}

function noteNode(note) {
  const where = note.away && el('a', { href: note.away.page, onclick: (event) => go(event, note.away.page) }, note.away.name);
  if (note.type === 'call_in' || note.type === 'call_out') {
    const incoming = note.type === 'call_in';
    const second = el('div', { class: 'sub' }, [note.phone, length(note.seconds), note.result, note.who].filter(Boolean).join(' · '), where && ' · ', where);
    const node = el('article', { class: 'note call' },
      el('div', { class: 'row' }, wayIcon(incoming), el('b', {}, incoming ? 'Входящий звонок' : 'Исходящий звонок'), el('time', {}, clock(note.at))), second);
    if (/^https?:/.test(note.link)) {
      const late = el('div', { class: 'late', hidden: true }, 'Запись не открылась: телефония её ещё не сохранила.');
      node.append(el('audio', { controls: true, preload: 'none', src: note.link, onerror: () => { late.hidden = false; }, onplay: () => { late.hidden = true; } }), late);
    } else {
      node.append(el('div', { class: note.due ? 'late' : 'late never' }, note.due ? `Запись появится в ${new Date(note.due * 1000).toLocaleTimeString('ru')}` : 'Записи нет'));
    }
    return node;
  }
  const titles = { common: 'Примечание', attachment: 'Файл', ai_result: 'amoCRM AI' };
  const second = [note.changed && 'изменено', note.pinned && 'закреплено'].filter(Boolean).join(' · ');
  return el('article', { class: note.service ? 'note ours' : 'note' },
    el('div', { class: 'row' }, el('b', {}, note.service || titles[note.type] || note.type), el('time', {}, clock(note.at))),
    (second || where) && el('div', { class: 'sub' }, second, second && where ? ' · ' : '', where),
    ...textOf(note.text));
}

function showFeed() {
  const items = [];
  let last = '';
  for (const note of state.feed) {
    if (day(note.at) !== last) {
      last = day(note.at);
      items.push({ id: `day ${last}`, day: last === today() ? 'Сегодня' : last });
    }
    const owner = cardOf(note.card);
    items.push({ ...note, away: note.card !== openCard() && owner ? { page: owner.page, name: owner.name } : null });
  }
  if (!items.length) items.push({ id: 'none' });
  const feed = $('#feed');
  const atEnd = feed.scrollHeight - feed.scrollTop - feed.clientHeight < 80;
  sync(feed, items, (item) => item.id, (item) => {
    if (item.id === 'none') return el('div', { class: 'empty' }, 'Событий ещё не было. Добавьте звонок справа: он появится здесь, а за ним результат распознавания.');
    return item.day ? el('div', { class: 'day' }, item.day) : noteNode(item);
  });
  if (atEnd) feed.scrollTop = feed.scrollHeight;
}

function options(select, items, value, text, group) {
  const print = JSON.stringify(items.map((item) => [value(item), text(item)]));
  if (select.dataset.print === print) return;
  const chosen = select.value;
  const groups = new Map();
  for (const item of items) {
    const name = group ? group(item) : '';
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(el('option', { value: value(item) }, text(item)));
  }
  select.replaceChildren(...[...groups].flatMap(([name, list]) => (name ? [el('optgroup', { label: name }, ...list)] : list)));
  select.dataset.print = print;
  if (chosen) select.value = chosen;
  else if (openCard() && select.name === 'card') select.value = openCard();
}

function showForm() {
  const fields = $('#call').elements;
  const kinds = ['leads', 'contacts', 'companies'];
  const names = { leads: 'Сделки', contacts: 'Контакты', companies: 'Компании' };
  const cards = state.cards.filter((card) => kinds.includes(card.kind))
    .sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || a.name.localeCompare(b.name, 'ru'));
  options(fields.card, cards, (card) => card.card, (card) => card.name, (card) => names[card.kind]);
  options(fields.recording, state.recordings, (rec) => rec.name, (rec) => `${length(rec.seconds)} · ${rec.title}`);
  const chosen = cardOf(fields.card.value);
  fields.twice.closest('label').hidden = !chosen || !chosen.linked.some((name) => name.startsWith('contacts/'));
  $('#call .main').disabled = !state.recordings.length;
}

const switchTexts = {
  down: ['Портал не отвечает', 'соединение обрывается'],
  limit: ['Слишком много запросов', 'на всё отвечает 429'],
  error: ['Внутренняя ошибка', 'на всё отвечает 500'],
  slow: ['Отвечает медленно', 'каждый ответ ждёт 10 секунд'],
  lost: ['Ответ теряется', 'примечание записано, ответ оборван'],
  unsaved: ['Записи ещё не готовы', 'телефония отвечает 404'],
};

function showSwitches() {
  sync($('#switches'), state.switches, (item) => item.name, (item) => {
    const [title, hint] = switchTexts[item.name];
    const box = el('input', { type: 'checkbox', role: 'switch', checked: item.on, onchange: () => act('switch', { name: item.name, on: box.checked }) });
    return el('label', { class: 'switch' }, el('span', {}, title, el('small', {}, hint)), box);
  });
}

function showAccess() {
  sync($('#access'), state.clients.length ? state.clients : [{ id: 'none' }], (client) => client.id, (client) => {
    if (client.id === 'none') return el('div', { class: 'told' }, 'Интеграция не зарегистрирована');
    const secret = el('div', { class: 'secret', hidden: !said }, 'Скопируйте в настройки подключения', el('textarea', { readonly: true, 'aria-label': 'Код или токен', onfocus: (event) => event.target.select() }, said));
    const give = async (what) => {
      const answer = await act(what, { client: client.id });
      said = answer.text;
      for (const area of document.querySelectorAll('.secret')) {
        area.hidden = false;
        area.querySelector('textarea').value = said;
      }
    };
    return el('div', { class: 'client' },
      el('div', {}, client.name || 'Интеграция', el('span', { class: 'sub' }, client.live ? '' : ' · доступ не выдан')),
      el('dl', {}, el('dt', {}, 'ID'), el('dd', {}, client.id), el('dt', {}, 'Секрет'), el('dd', {}, client.secret), el('dt', {}, 'Адрес'), el('dd', {}, client.redirect)),
      el('div', { class: 'buttons' },
        el('button', { onclick: () => give('code') }, 'Код на 20 минут'),
        el('button', { onclick: () => give('token') }, 'Долгий токен'),
        el('button', { class: 'danger', onclick: () => act('revoke', {}) }, 'Отозвать доступ')),
      secret);
  });
}

function showRequests() {
  const list = state.requests.map((line, i) => ({ ...line, id: `${line.at} ${line.path} ${i}` }));
  sync($('#requests'), list.length ? list : [{ id: 'none' }], (line) => line.id, (line) => {
    if (line.id === 'none') return el('li', { class: 'none' }, 'Пока никто не обращался');
    let path = line.path;
    try { path = decodeURIComponent(path); } catch { /* shown as it came */ }
    return el('li', { title: path }, el('span', { class: line.status === 0 || line.status >= 400 ? 'bad' : '' }, line.status || '—'), el('span', {}, line.method), el('span', { class: 'path' }, path));
  });
}

function showAlarm() {
  const alarms = [];
  if (state.blocked) alarms.push('Аккаунт заблокирован за частые запросы');
  if (state.violations.length) alarms.push(`Токен портала отправлен телефонии: ${state.violations.length}`);
  if (state.unknown.length) alarms.push(`Неизвестные запросы: ${state.unknown.length}`);
  const off = state.blocked ? el('button', { class: 'plain', onclick: () => act('unblock', {}) }, 'Снять блокировку') : '';
  $('#alarm').replaceChildren(alarms.join(' · '), off && ' ', off);
  $('#alarm').title = [...state.unknown, ...state.violations].join('\n');
}

async function act(what, body) {
  const answer = await fetch(`/_emulator/${what}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const result = await answer.json();
  if (!answer.ok) throw new Error(result.detail);
  return result;
}

async function load() {
  const asked = openCard();
  const answer = await fetch(`/_emulator/state?card=${encodeURIComponent(asked)}`);
  const fresh = await answer.json();
  if (asked === openCard()) show(fresh); // else the reader has gone on meanwhile
}

function show(fresh) {
  state = fresh;
  for (const name of ['cards', 'feed', 'recordings', 'clients', 'requests', 'unknown', 'violations']) state[name] ??= [];
  for (const card of state.cards) card.linked ??= [];
  $('#host').textContent = state.host;
  for (const part of [showCards, showAbout, showFeed, showForm, showSwitches, showAccess, showRequests, showAlarm]) part();
}

for (const tab of document.querySelectorAll('.tabs button')) {
  tab.addEventListener('click', () => { kind = tab.dataset.kind; showCards(); });
}

$('#call').addEventListener('change', showForm);
$('#call').addEventListener('submit', async (event) => {
  event.preventDefault();
  const fields = event.target.elements;
  const told = $('#told');
  try {
    await act('calls', {
      card: fields.card.value, recording: fields.recording.value, outgoing: fields.way.value === 'out',
      late_seconds: Number(fields.late.value), twice: fields.twice.checked && !fields.twice.closest('label').hidden,
    });
    told.className = 'told';
    told.textContent = 'Звонок добавлен в карточку';
  } catch (error) {
    told.className = 'told bad';
    told.textContent = `Не получилось: ${error.message}`;
  }
});

window.addEventListener('popstate', load);
show(firstState);
$('#feed').scrollTop = $('#feed').scrollHeight;
new EventSource('/_emulator/changes').onmessage = load;
