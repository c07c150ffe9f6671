"""draft"""
from __future__ import annotations
import re
from functools import cache, lru_cache
from collections.abc import Sequence
from evalsuite.metrics.ptb_rules import APOSTROPHE, characters, rules

_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_NORMAL = {"\x80": "$", "¤": "$", "₠": "$", "€": "$", "£": "#", "¢": "cents", "¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}
_ENT={"&amp;":"&","&lt;":"<","&gt;":">"}

@cache
def _dispatch():
    c=characters()
    L=re.compile(f"[{c.letters}{c.marks}]"); D=re.compile(f"[{c.digits}]"); S=re.compile(f"[{c.symbols}]")
    table={}
    def rules_for(ch):
        k = "L" if L.match(ch) else "D" if D.match(ch) else ch
        return [r.pattern for r in rules() if not r.starts or k in r.starts]
    return rules_for, S

_T={}
def scan(text,end):
    rf,S=_dispatch()
    out=[]; pos=0
    while pos<end:
        ch=text[pos]
        rs=_T.get(ch)
        if rs is None: rs=_T[ch]=rf(ch)
        best=0
        for p in rs:
            m=p.match(text,pos)
            if m and m.end()>best: best=m.end(); te=m.end(1)
        if not best:
            if ch in _BRACKETS: out.append(_BRACKETS[ch])
            elif ch in _NORMAL: out.append(_NORMAL[ch])
            elif '!'<=ch<='~':
                if ch not in ".,:;!?'`-\"": out.append(ch)
            elif S.match(ch): out.append(ch.lower())
            pos+=1; continue
        tok=text[pos:te]; pos=te
        t=norm(tok)
        if t is not None: out.append(t)
    return out
AMP=re.compile(r"[A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+")
QM=dict(zip("'`‘’‚‛“”„‟«»‹›\x91\x92\x93\x94",["'","`","`","'","‚","`","``","''","„","‟","``","''","`","'","`","'","``","''"]))
CL=re.compile(rf"{APOSTROPHE}(?i:s|m|d|re|ve|ll)|[nN](?:{APOSTROPHE}|[‘\x91`\u201b])[tT]")
def norm(t):
    if t[0]=='-' and set(t)=={'-'}: return t if len(t)>4 else None
    if len(t)<3 and all(c in QM for c in t):
        t="".join(QM[c] for c in t); return None if t in("'","''","`","``") else t
    if t in (".","!","?") or t[0]=='.' and set(t)<=set('. \xa0'): return None
    if t[0]=='&' and t[-1]==';':
        l=t.lower()
        if l in _ENT: return _ENT[l]
        if l in ('&quot;','&nbsp;','&apos;','&mdash;','&ndash;'): return None if l!='&quot;' or True else t
    if CL.fullmatch(t):
        t=re.sub(APOSTROPHE,"'",t); t=re.sub("[‘\x91\u201b]","`",t)
    if '@' not in t and t[0]!='#' and '//' not in t: t=t.replace('\xad','')
    t=t.replace('&amp;','&').replace(' ','\xa0')
    for a in '()': t=t.replace(a,_BRACKETS[a])
    return t.lower() or None
def tokenize(text,following=None):
    text=text.replace('\n',' ')
    full=text if following is None else text+'\n'+following
    return ' '.join(scan(full,len(text))).rstrip()
